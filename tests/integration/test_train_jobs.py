"""Training through Ray Train: two workers, one of them killed, ends like a run that nothing happened to."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")
ray = pytest.importorskip("ray", reason="training needs the train extra")

from safetensors.torch import load_file  # noqa: E402

from sentiment.datasets import open_datasets  # noqa: E402
from sentiment.errors import InvalidInput  # noqa: E402
from sentiment.models.zoo import load_model, save_model  # noqa: E402
from sentiment.settings import Settings, load_settings  # noqa: E402
from sentiment.training.config import TrainConfig  # noqa: E402
from tests.tiny_training import TINY, examples, tiny_start  # noqa: E402
from train_jobs.train import TrainResult, run_training  # noqa: E402
from train_jobs.watch import Report  # noqa: E402

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    found = load_settings(home=tmp_path_factory.mktemp("home"))
    open_datasets(found).push("toys", examples(), source="tests")
    save_model(tiny_start(), found.home / "backbone")
    return found


@pytest.fixture(scope="module", autouse=True)
def cluster(settings: Settings) -> Iterator[None]:
    root = str(Path(__file__).parents[2])
    environment = {"env_vars": {"PYTHONPATH": root}}
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env=environment)
    yield
    ray.shutdown()


@pytest.fixture
def config(settings: Settings) -> TrainConfig:
    return replace(TINY, model="minilm", backbone=str(settings.home / "backbone"), threads=1)


def weights_of(result: TrainResult) -> dict[str, torch.Tensor]:
    return dict(load_file(result.folder / "model.safetensors"))


def train(config: TrainConfig, settings: Settings, name: str, **options: object) -> TrainResult:
    return run_training(config, workers=2, name=name, settings=settings, **options)


class Killer:
    """Kills a worker of the run with SIGKILL at the first report from `step` on; keeps the steps reported then."""

    def __init__(self, step: int) -> None:
        self.step, self.killed, self.steps_after = step, threading.Event(), []

    def __call__(self, report: Report) -> None:
        if self.killed.is_set():
            self.steps_after.append(int(report["step"]))
        elif "learning_rate" in report and report["step"] >= self.step:
            workers = [
                process
                for process in psutil.Process().children(recursive=True)
                if any("RayTrainWorker" in part for part in process.cmdline())
            ]
            os.kill(workers[-1].pid, signal.SIGKILL)
            self.killed.set()


def test_a_run_whose_worker_is_killed_ends_with_the_weights_of_one_that_ran_through(
    config: TrainConfig, settings: Settings
) -> None:
    config = replace(config, epochs=80, batch_rows=6, checkpoint_every_steps=100, validate_every_steps=240)
    whole = train(config, settings, "whole")
    killer = Killer(step=120)
    killed = train(config, settings, "killed", on_report=killer)
    assert killer.killed.is_set()
    assert max(killer.steps_after) == whole.steps == 480
    assert killed.steps == whole.steps
    assert killed.history[-1]["confusion"] == whole.history[-1]["confusion"]
    for name, tensor in weights_of(whole).items():
        assert torch.equal(tensor, weights_of(killed)[name]), name
    assert load_model(killed.folder).architecture == "encoder"


def test_what_cannot_be_built_is_told_before_any_worker_starts(config: TrainConfig, settings: Settings) -> None:
    with pytest.raises(InvalidInput, match="window_tokens is 64"):
        train(replace(config, window_tokens=64), settings, "long")
