"""Jobs on a real Ray and a real MLflow: a run is tracked and registered; one whose worker is killed ends like it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final

import psutil
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")
ray = pytest.importorskip("ray", reason="training needs the train extra")

from mlflow import MlflowClient  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from sentiment.datasets import open_datasets  # noqa: E402
from sentiment.errors import InvalidInput, ModelRejected  # noqa: E402
from sentiment.models.zoo import load_model, save_model  # noqa: E402
from sentiment.predictor import Predictor  # noqa: E402
from sentiment.registry import Registry  # noqa: E402
from sentiment.settings import FOLLOWED, Settings, load_settings  # noqa: E402
from sentiment.training.config import DistillConfig, TrainConfig  # noqa: E402
from sentiment.version import read_version  # noqa: E402
from tests.free_ports import free_port  # noqa: E402
from tests.tiny_training import TINY, examples, tiny_start  # noqa: E402
from train_jobs.average import AverageConfig, run_averaging  # noqa: E402
from train_jobs.runtime.output import OUTCOME, PROGRESS  # noqa: E402
from train_jobs.runtime.tracking_server import tracking_server  # noqa: E402
from train_jobs.train.job import run_job  # noqa: E402
from train_jobs.train.progress_channel import Report  # noqa: E402
from train_jobs.train.ray_train import run_training  # noqa: E402
from train_jobs.train.request import Job, TrainingResult  # noqa: E402

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

_ROOT: Final = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    found = load_settings(home=tmp_path_factory.mktemp("home"), mlflow_port=free_port())
    open_datasets(found).push("toys", examples(240), source="tests")
    save_model(tiny_start(), found.home / "backbone")
    return found


@pytest.fixture(scope="module", autouse=True)
def cluster(settings: Settings) -> Iterator[None]:
    environment = {"env_vars": {"PYTHONPATH": str(_ROOT)}}
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env=environment)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def config(settings: Settings) -> TrainConfig:
    config = replace(TINY, model="minilm", backbone=str(settings.home / "backbone"), threads=1, epochs=30)
    return replace(config, batch_rows=6, checkpoint_every_steps=100, validate_every_steps=240)


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[str]:
    with tracking_server(settings) as uri:
        yield uri


@pytest.fixture(scope="module")
def whole(config: TrainConfig, settings: Settings, server: str) -> TrainingResult:
    return run_job(Job(config, "whole", workers=2, register=True), settings, None, lambda _: None)


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(folder / "model.safetensors"))


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


def test_a_job_leaves_a_run_in_mlflow_and_a_registered_version(
    whole: TrainingResult, config: TrainConfig, settings: Settings, server: str
) -> None:
    client = MlflowClient(server)
    run = client.get_run(whole.run_id)
    assert run.info.status == "FINISHED"
    assert (run.data.params["learning_rate"], run.data.params["workers"]) == (str(config.learning_rate), "2")
    assert run.data.tags["dataset"] == "toys@1"
    assert run.data.tags["dataset_digest"] == open_datasets(settings).find("toys@1").digest
    assert [point.step for point in client.get_metric_history(whole.run_id, "loss")][-1] >= 470
    assert {"system/cpu_percent", "validation_macro_recall", "texts_per_s"} <= set(run.data.metrics)
    kept = {entry.path for entry in client.list_artifacts(whole.run_id)}
    assert kept >= {"confusion.png", "reliability.png", "history.json", "config.json", "environment.json", "version"}
    version = read_version(Path(whole.version))
    assert version.manifest.dataset["run_id"] == whole.run_id
    [registered] = Registry(server).versions("sentiment")
    assert (registered.digest, whole.registered) == (version.digest, "models:/sentiment/1")
    assert Predictor.load(version).predict(["i love this wonderful day"]).probabilities


def test_a_run_whose_worker_is_killed_ends_with_the_weights_of_one_that_ran_through(
    whole: TrainingResult, config: TrainConfig, settings: Settings
) -> None:
    killer = Killer(step=120)
    killed = run_training(config, workers=2, name="killed", settings=settings, on_report=killer)
    assert killer.killed.is_set()
    assert max(killer.steps_after) == whole.steps == 480
    assert killed.metrics["validation_loss"] == whole.metrics["validation_loss"]
    found = weights_of(killed.folder)
    for name, tensor in weights_of(Path(whole.version)).items():
        assert torch.equal(tensor, found[name]), name
    assert load_model(killed.folder).architecture == "encoder"


class Command:
    """A job's command line as a process of its own, which drives a Ray of its own."""

    def __init__(self, job: str, config: TrainConfig, name: str, workers: int, settings: Settings, uri: str) -> None:
        asked = ["--config", json.dumps(config.to_mapping()), "--name", name, "--workers", str(workers)]
        self.words = [sys.executable, "-m", f"train_jobs.{job}", *asked]
        self.log = settings.home / f"{name}.log"
        told = {"UNDERTONE_HOME": str(settings.home), "UNDERTONE_TRACKING_URI": uri, "PYTHONPATH": str(_ROOT)}
        told |= {FOLLOWED: "1"}
        self.environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"} | told

    def killed_at(self, step: int) -> int:
        """Begin; kill the driver with SIGKILL at the first report from `step` on, and return that report's step."""
        with self.started() as driver:
            steps = (int(report["step"]) for report in reports_of(driver.stdout))
            reached = next((found for found in steps if found >= step), None)
            driver.kill()
        assert reached is not None, f"it ended before step {step}: {self.log.read_text()}"
        assert driver.returncode == -signal.SIGKILL
        return reached

    def finished(self) -> tuple[dict[str, Any], list[int]]:
        """Go on to the end; return the outcome, and the steps that were reported on the way."""
        with self.started() as driver:
            said, _ = driver.communicate()
        assert driver.returncode == 0, said + self.log.read_text()
        lines = said.splitlines()
        return json.loads(lines[-1].removeprefix(OUTCOME)), [int(report["step"]) for report in reports_of(lines)]

    def started(self) -> subprocess.Popen[str]:
        """Start the process."""
        with self.log.open("a") as log:
            return subprocess.Popen(
                self.words, stdout=subprocess.PIPE, stderr=log, text=True, env=self.environment, cwd=_ROOT
            )


def reports_of(lines: Iterable[str] | None) -> Iterator[Report]:
    return (json.loads(line.removeprefix(PROGRESS)) for line in lines or () if line.startswith(PROGRESS))


def assert_ends_like(whole: TrainingResult, command: Command, seed: int) -> None:
    step = Random(seed).randrange(210, 380)
    reached = command.killed_at(step)
    outcome, steps_after = command.finished()
    assert all(100 < step <= whole.steps for step in steps_after), f"killed at {reached}, it began anew"
    assert outcome["steps"] == whole.steps
    found = weights_of(Path(outcome["version"]))
    for name, tensor in weights_of(Path(whole.version)).items():
        assert torch.equal(tensor, found[name]), name


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_run_whose_driver_is_killed_at_any_step_goes_on_by_its_name_and_ends_with_the_same_weights(
    whole: TrainingResult, config: TrainConfig, settings: Settings, server: str
) -> None:
    assert_ends_like(whole, Command("train", config, "cut-off", 2, settings, server), seed=20)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_distillation_whose_driver_is_killed_goes_on_as_well(
    whole: TrainingResult, config: TrainConfig, settings: Settings, server: str
) -> None:
    lesson = replace(config, seed=7, distill=DistillConfig(whole.version, temperature=3.0, hidden_weight=0.5))
    taught = run_job(Job(lesson, "taught"), settings, None, lambda _: None)
    assert_ends_like(taught, Command("distill", lesson, "taught-cut-off", 1, settings, server), seed=21)


def test_versions_from_one_start_are_averaged_into_a_version_that_is_registered_and_answers(
    whole: TrainingResult, config: TrainConfig, settings: Settings, server: str, tmp_path: Path
) -> None:
    short = replace(config, epochs=4, learning_rate=2e-3, validate_every_steps=None)
    other = run_job(Job(short, "other"), settings, None, lambda _: None)
    asked = AverageConfig((other.version, whole.version), register=True)
    found = run_averaging(settings.model_copy(update={"tracking_uri": server}), asked, tmp_path / "soup")
    assert found["score"] >= max(found["scores"].values())
    assert set(found["members"]) <= {other.version, whole.version}
    version = read_version(Path(found["folder"]))
    assert version.manifest.dataset["averaged"] == found["members"]
    assert version.manifest.dataset["ref"] == "toys@1"
    assert MlflowClient(server).get_run(found["run_id"]).data.tags["digest"] == version.digest
    registered = Registry(server).versions("sentiment")[-1]
    assert (registered.digest, found["registered"]) == (version.digest, f"models:/sentiment/{registered.version}")
    assert Predictor.load(version).predict(["i love this wonderful day"]).probabilities


def test_what_has_no_weights_or_no_company_is_not_averaged(
    whole: TrainingResult, settings: Settings, tmp_path: Path
) -> None:
    shipped = str(Path(__file__).parents[2] / "sentiment" / "shipped" / "sentiment")
    with pytest.raises(InvalidInput, match="at least two versions"):
        AverageConfig((whole.version,))
    with pytest.raises(InvalidInput, match="has no weights"):
        run_averaging(settings, AverageConfig((whole.version, shipped)), tmp_path / "soup")
    assert not (tmp_path / "soup").exists()


class Attempts(ray.train.UserCallback):
    """Counts how often workers died of what they raised."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def after_exception(self, run_context: object, worker_exceptions: object) -> None:
        with self.file.open("a") as lines:
            lines.write("raised\n")


def test_what_no_second_try_would_mend_is_told_at_once(config: TrainConfig, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "teacher").mkdir()
    asked = replace(config, distill=DistillConfig(str(tmp_path / "teacher")))
    with pytest.raises(ModelRejected, match="this is not a model version"):
        run_training(asked, workers=2, settings=settings, callbacks=[Attempts(tmp_path / "attempts")])
    assert not (tmp_path / "attempts").exists()


def test_what_cannot_be_built_is_told_before_any_worker_starts(config: TrainConfig, settings: Settings) -> None:
    with pytest.raises(InvalidInput, match="window_tokens is 64"):
        run_training(replace(config, window_tokens=64), settings=settings)
