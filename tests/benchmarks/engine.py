"""Measure the engine alone, without Ray and HTTP: tokenising and forward passes of unique texts of tweets' lengths.

    python -m tests.benchmarks.engine [--version DIR] [--threads 2] [--batch-tokens 256]

Texts come in micro-batches from as many callers as there are threads, as in the platform. Prints a line of JSON last.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from sentiment.predictor import Predictor
from sentiment.records import Answers
from tests.benchmarks.texts import unique_texts

_SHIPPED: Final = Path(__file__).parents[2] / "sentiment" / "shipped" / "sentiment"


def measure(predictor: Predictor, texts: list[str], callers: int, micro_batch: int) -> dict[str, float]:
    """Classify `texts` once, by `callers` threads, and return what it took; times per text are CPU milliseconds."""
    groups = [texts[start : start + micro_batch] for start in range(0, len(texts), micro_batch)]
    wall, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(callers) as pool:
        answers = list(pool.map(predictor.predict, groups))
    wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "engine_texts_per_s": round(len(texts) / wall_s, 1),
        "engine_cpu_ms_per_text": round(1000 * cpu_s / len(texts), 3),
        "padding_share": round(1 - _total(answers, "tokens") / _total(answers, "padded_tokens"), 4),
        "tokens_per_text": round(_total(answers, "tokens") / len(texts), 1),
    }


def single_ms(predictor: Predictor, texts: list[str]) -> float:
    """Return the median milliseconds of one text alone."""
    return round(statistics.median(predictor.predict([text]).inference_ms for text in texts), 2)


def main() -> None:
    """Run the benchmark of the command line."""
    arguments = _arguments()
    folder = arguments.version
    predictor = Predictor.load(folder, threads=arguments.threads, batch_tokens=arguments.batch_tokens)
    predictor.warm_up()
    texts = unique_texts(arguments.texts + 300, arguments.seed, folder / "tokenizer.json")
    alone, rest = texts[:200], texts[300:]
    measure(predictor, texts[200:300], arguments.threads, arguments.micro_batch)
    runs = [measure(predictor, rest, arguments.threads, arguments.micro_batch) for _ in range(arguments.repeat)]
    median = sorted(runs, key=lambda run: run["engine_texts_per_s"])[len(runs) // 2]
    found = {**median, "engine_single_ms": single_ms(predictor, alone), "engine_threads": arguments.threads}
    print(json.dumps({**found, "engine": predictor.engine, "batch_tokens": predictor.batch_tokens}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", type=Path, default=_SHIPPED, help="version folder; the shipped one by default")
    parser.add_argument("--threads", type=int, default=2, help="forward passes side by side, as classifier_threads")
    parser.add_argument("--batch-tokens", type=int, default=256, help="padded tokens of a pass")
    parser.add_argument("--micro-batch", type=int, default=64, help="texts of a call, as max_gather_texts")
    parser.add_argument("--texts", type=int, default=4000, help="unique texts to classify")
    parser.add_argument("--repeat", type=int, default=3, help="runs over the texts; the median counts")
    parser.add_argument("--seed", type=int, default=1, help="seed of the texts")
    return parser.parse_args()


def _total(answers: list[Answers], field: str) -> int:
    return sum(getattr(answer, field) for answer in answers)


if __name__ == "__main__":
    main()
