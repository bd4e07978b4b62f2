"""Measure training on tweets: through Ray Train, by the loop alone, with PyTorch's dropout, and padded to the maximum.

    python -m tests.benchmarks.training --corpora CORPORA [--preset minilm] [--steps 20] [--rounds 5]

What goes through Ray Train reports its figures as a job does. The four take turns on the same texts with the same
threads, one round after the other; medians are compared. A round is a few steps of each, without the start of Ray's
workers, which run at the same priority as the rest. Prints a line of JSON last.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import ray
import ray.train
import torch
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer
from torch import nn

from sentiment.labels import THREE_CLASSES
from sentiment.models.architectures.dropout import Dropout
from sentiment.training.batching.batches import row_of
from sentiment.training.batching.encoded import EncodedTexts, encoded_texts
from sentiment.training.batching.plan import BatchPlan
from sentiment.training.config import TrainConfig, from_mapping
from sentiment.training.fit import TrainingLoop, Watcher
from sentiment.training.objectives.objective import TrainingData
from sentiment.training.validation import ValidationSet
from train_jobs.shipped_model.readers import read_semeval
from train_jobs.train.prepare import build_model
from train_jobs.train.progress_channel import RayWatcher, open_mailbox

_TEXTS_JUDGED = 8


class Quiet:
    """A watcher that keeps nothing."""

    def report(self, figures: Mapping[str, float]) -> None:
        """Take no notice."""

    def keep(self, figures: Mapping[str, float], write: Callable[[Path], None]) -> None:
        """Store nothing."""


class Tweet:
    """A text with the name of its label."""

    def __init__(self, text: str, label: int) -> None:
        self.text, self.label = text, THREE_CLASSES[label]


def tokenised(corpora: Path, folder: Path, config: TrainConfig, texts: int) -> EncodedTexts:
    """Tokenise the first tweets of the corpus below `folder`; what is there is read."""
    tokenizer = build_model(config, len(THREE_CLASSES)).tokenizer

    def read() -> list[Tweet]:
        return [Tweet(row.text, row.label) for row in read_semeval(corpora)[:texts]]

    return encoded_texts(folder, f"benchmark-{texts}", read, THREE_CLASSES, tokenizer)


class Posting(RayWatcher):
    """A watcher that posts reports as a job's does, and stores no checkpoint."""

    def keep(self, figures: Mapping[str, float], write: Callable[[Path], None]) -> None:
        """Store nothing."""


def bucketed(
    texts: EncodedTexts, config: TrainConfig, watcher: Watcher | None = None, dropout: type[nn.Module] = Dropout
) -> float:
    """Return texts a second of the loop."""
    held_out = ValidationSet(texts, np.arange(_TEXTS_JUDGED), config.window_tokens)
    data = TrainingData(BatchPlan(texts, np.arange(len(texts)), config), held_out)
    start = build_model(config, len(THREE_CLASSES))
    for part in start.model.modules():
        if isinstance(part, Dropout):
            part.__class__ = dropout
    fit = TrainingLoop(start, data, config, watcher or Quiet())
    steps = data.plan.epoch(0)[: config.most_steps]
    fit.run()
    return sum(step.texts for step in steps) / fit.progress.seconds


def padded(texts: EncodedTexts, config: TrainConfig) -> float:
    """Return texts a second of a plain loop: batches as the texts come, padded to the window, one after the other."""
    start = build_model(config, len(THREE_CLASSES))
    model = start.model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, fused=True)
    order = np.random.default_rng(config.seed).permutation(len(texts))
    steps = config.most_steps or 1
    began = time.perf_counter()
    for step in range(steps):
        rows = [row_of(texts, int(number), config.window_tokens) for number in order[step * 32 : (step + 1) * 32]]
        ids = np.zeros((len(rows), config.window_tokens), dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row.ids)] = row.ids
        tensor = torch.from_numpy(ids)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.dtype == "bfloat16"):
            logits = model(tensor, (tensor != 0).long())
        labels = torch.tensor([row.label for row in rows])
        torch.nn.functional.cross_entropy(logits.float(), labels).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.gradient_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return 32 * steps / (time.perf_counter() - began)


class Turns:
    """Lets the driver and Ray Train's worker take turns, so that one never measures beside the other."""

    def __init__(self) -> None:
        self._asked, self._rates = 0, []

    def ask(self) -> None:
        """Ask the worker for a round."""
        self._asked += 1

    def asked(self) -> int:
        """Return the rounds that were asked for."""
        return self._asked

    def answer(self, rate: float) -> None:
        """Give a round's texts a second."""
        self._rates.append(rate)

    def rates(self) -> list[float]:
        """Return what was measured so far."""
        return self._rates


def work(job: Mapping[str, Any]) -> None:
    """Measure in a worker of Ray Train, a round each time that one is asked for."""
    config, turns = from_mapping(job["config"]), job["turns"]
    torch.set_num_threads(config.threads or 1)
    texts = tokenised(Path(job["corpora"]), Path(job["folder"]), config, job["texts"])
    watcher = Posting(0, job["mailbox"])
    bucketed(texts, replace(config, most_steps=2), watcher)
    for number in range(job["rounds"]):
        while ray.get(turns.asked.remote()) <= number:
            time.sleep(0.05)
        ray.get(turns.answer.remote(bucketed(texts, config, watcher)))
        ray.train.report({"round": number})


def measure(options: argparse.Namespace, folder: Path) -> dict[str, list[float]]:
    """Return the texts a second of every round, by way of training."""
    config = TrainConfig(
        model=options.preset, most_steps=options.steps, threads=options.threads, dtype=options.dtype, epochs=1
    )
    torch.set_num_threads(options.threads)
    texts = tokenised(options.corpora, folder, config, options.texts)
    turns = ray.remote(num_cpus=0)(Turns).remote()
    job = {"config": config.to_mapping(), "turns": turns, "corpora": str(options.corpora.absolute())}
    job |= {"folder": str(folder), "texts": options.texts, "rounds": options.rounds, "mailbox": open_mailbox()}
    trainer = TorchTrainer(
        work,
        train_loop_config=job,
        scaling_config=ScalingConfig(num_workers=1, resources_per_worker={"CPU": options.threads}),
        run_config=RunConfig(name="benchmark", storage_path=str(folder / "runs")),
    )
    found: dict[str, list[float]] = {"ray": [], "alone": [], "torch_dropout": [], "padded": []}
    fitting = ray.remote(num_cpus=0)(lambda: trainer.fit() and None).remote()
    bucketed(texts, replace(config, most_steps=2))
    padded(texts, replace(config, most_steps=1))
    for number in range(options.rounds):
        found["alone"].append(bucketed(texts, config))
        found["torch_dropout"].append(bucketed(texts, config, dropout=nn.Dropout))
        found["padded"].append(padded(texts, config))
        ray.get(turns.ask.remote())
        while len(rates := ray.get(turns.rates.remote())) <= number:
            time.sleep(0.05)
        found["ray"] = rates
    ray.get(fitting)
    return found


def main() -> None:
    """Run the benchmark of the command line."""
    options = _options()
    root = str(Path(__file__).parents[2])
    with tempfile.TemporaryDirectory(prefix="undertone-bench-") as folder:
        ray.init(
            address="local",
            num_cpus=max(options.threads, os.cpu_count() or 1),
            include_dashboard=False,
            log_to_driver=False,
            runtime_env={"env_vars": {"PYTHONPATH": root}},
            _system_config={"worker_niceness": 0},  # 15 by default: workers would give way to whatever else runs
        )
        found = measure(options, Path(folder))
        ray.shutdown()
    median = {name: statistics.median(rates) for name, rates in found.items()}
    print(f"{'way':14}{'texts/s, median':>18}   rounds")
    for name, rates in found.items():
        print(f"{name:14}{median[name]:18.1f}   {', '.join(f'{rate:.1f}' for rate in rates)}")
    figures = {f"train_{name}_texts_per_s": round(rate, 1) for name, rate in median.items()}
    shares = {
        "ray_of_alone": round(median["ray"] / median["alone"], 3),
        "alone_of_padded": round(median["alone"] / median["padded"], 2),
        "alone_of_torch_dropout": round(median["alone"] / median["torch_dropout"], 2),
        "ray_of_padded": round(median["ray"] / median["padded"], 2),
    }
    print(json.dumps({**figures, **shares, "threads": options.threads, "preset": options.preset}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True, help="folder of the corpora (docs/results.md)")
    parser.add_argument("--preset", default="minilm", help="model (default: minilm)")
    parser.add_argument("--steps", type=int, default=20, help="steps of a round (default: 20)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds; their median counts (default: 5)")
    parser.add_argument("--texts", type=int, default=5000, help="tweets to draw from (default: 5000)")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (default: 2)")
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float32"), help="of all ways")
    return parser.parse_args()


if __name__ == "__main__":
    main()
