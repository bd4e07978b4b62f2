"""A job from its configuration to its version, beside a fake MLflow and with the loop in this process, not in Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("ray", reason="training needs the train extra")

from sentiment.datasets import open_datasets
from sentiment.errors import Conflict, InvalidInput, Unavailable, UndertoneError
from sentiment.models.zoo import save_model
from sentiment.settings import Settings, load_settings
from sentiment.training.checkpoint import MODEL
from sentiment.training.config import TrainConfig
from sentiment.training.export import Agreement
from sentiment.training.fit import TrainingLoop
from sentiment.version import read_version
from tests.tiny_training import TINY, examples, tiny_start
from train_jobs import average
from train_jobs.average import AverageConfig, run_averaging
from train_jobs.runtime import tracking_server
from train_jobs.shipped_model.latest_checkpoint import LatestCheckpoint
from train_jobs.train import command_line
from train_jobs.train import ray_train as train_module
from train_jobs.train import tracked_run as tracked
from train_jobs.train.job import run_job
from train_jobs.train.prepare import RunLocations, prepare
from train_jobs.train.ray_train import TrainResult
from train_jobs.train.request import Job, TrainingResult
from train_jobs.versions import write_version


class FakeRun:
    """Keeps what a run is told."""

    def __init__(self, number: int, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        self.run_id = f"{number:032x}"
        self.name, self.params, self.tags, self.status = name, dict(params), dict(tags), "RUNNING"

    def log(self, metrics: Mapping[str, float], step: int) -> None: ...

    def picture(self, name: str, figure: Any) -> None: ...

    def artifact(self, path: Path, folder: str | None = None) -> None: ...

    def finish(self, status: str = "FINISHED") -> None:
        self.status = status


class FakeTracker:
    """MLflow in memory."""

    def __init__(self) -> None:
        self.runs: list[FakeRun] = []

    def run(self, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> FakeRun:
        self.runs.append(FakeRun(len(self.runs), name, params, tags))
        return self.runs[-1]

    def again(self, run_id: str) -> FakeRun | None:
        return next((run for run in self.runs if run.run_id == run_id), None)


def train_here(
    config: TrainConfig, *, name: str, settings: Settings, on_begin: Callable[[], None], **_: Any
) -> TrainResult:
    """Train as Ray's workers do, in this process."""
    on_begin()
    start, data = prepare(config, RunLocations.of(settings))
    folder = settings.home / "runs" / name
    progress = TrainingLoop(start, data, config, LatestCheckpoint(folder / "checkpoints")).run()
    save_model(start, folder / "best" / MODEL)
    metrics = {key: float(value) for key, value in progress.history[-1].items() if not isinstance(value, list)}
    return TrainResult(folder / "best" / MODEL, metrics, progress.history, None, name, progress.step)


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> FakeTracker:
    found = FakeTracker()

    @contextmanager
    def server(settings: Settings) -> Iterator[str]:
        yield "http://mlflow"

    for module in (tracking_server, average):
        monkeypatch.setattr(module, "tracking_server", server)
    for module in (tracked, average):
        monkeypatch.setattr(module, "Tracker", lambda uri: found)
    monkeypatch.setattr(train_module, "run_training", train_here)
    monkeypatch.setattr(train_module, "ray_running", lambda *_: nullcontext())
    return found


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = load_settings(home=tmp_path)
    open_datasets(found).push("toys", examples(), source="tests")
    save_model(tiny_start(), tmp_path / "backbone")
    return found


def done(settings: Settings, name: str, **changes: Any) -> TrainingResult:
    config = replace(TINY, model="minilm", backbone=str(settings.home / "backbone"), data="toys@latest", threads=1)
    return run_job(Job(replace(config, **changes), name), settings, None, lambda _: None)


def test_a_job_s_version_says_what_it_learned_from_and_is_taken_up_with_the_same_only(
    tracker: FakeTracker, settings: Settings
) -> None:
    made = done(settings, "one")
    known = read_version(Path(made.version)).manifest.dataset
    assert (known["ref"], known["config"]["data"]) == ("toys@1", "toys@1")
    assert known["run_id"] == made.run_id == tracker.runs[0].run_id
    assert (tracker.runs[0].name, tracker.runs[0].status) == ("one", "FINISHED")
    assert done(settings, "one").run_id == made.run_id
    with pytest.raises(Conflict, match="learning_rate"):
        done(settings, "one", learning_rate=0.1)
    open_datasets(settings).push("toys", examples(60), source="tests")
    with pytest.raises(Conflict, match=r"toys@1.*toys@2"):
        done(settings, "one")
    assert [run.status for run in tracker.runs] == ["FINISHED"], "what is refused leaves no trace"


def test_a_job_is_taken_up_with_the_workers_and_the_storage_that_it_was_begun_with(
    tracker: FakeTracker, settings: Settings, tmp_path: Path
) -> None:
    config = replace(TINY, model="minilm", backbone=str(settings.home / "backbone"), data="toys@1", threads=1)
    begun = Job(config, "one", storage=str(tmp_path / "kept"), workers=2)
    run_job(begun, settings, None, lambda _: None)
    for other, told in (
        (replace(begun, workers=1), r"--workers 2, not 1"),
        (replace(begun, storage=None), rf"--storage {tmp_path}/kept"),
    ):
        with pytest.raises(Conflict, match=told):
            run_job(other, settings, None, lambda _: None)
    assert run_job(begun, settings, None, lambda _: None).run_id == tracker.runs[0].run_id
    assert len(tracker.runs) == 1


def test_another_head_takes_up_a_job_of_a_shared_storage_under_the_same_id_in_mlflow(
    tracker: FakeTracker, settings: Settings, tmp_path: Path
) -> None:
    config = replace(TINY, model="minilm", backbone=str(settings.home / "backbone"), data="toys@1", threads=1)
    job = Job(config, "one", storage=str(tmp_path / "kept"))
    first = run_job(job, settings, None, lambda _: None)
    other = load_settings(home=tmp_path / "other", datasets=str(settings.home / "datasets"))
    with pytest.raises(Conflict, match="learning_rate"):
        run_job(replace(job, config=replace(config, learning_rate=0.1)), other, None, lambda _: None)
    assert run_job(job, other, None, lambda _: None).run_id == first.run_id
    assert len(tracker.runs) == 1


def test_a_job_begins_once_what_it_asks_for_is_checked(tracker: FakeTracker, settings: Settings) -> None:
    begun: list[str] = []
    config = replace(TINY, model="minilm", backbone=str(settings.home / "backbone"), data="toys@1", threads=1)
    for wrong in (replace(config, data="toys@9"), replace(config, model="nope"), replace(config, data="")):
        with pytest.raises(UndertoneError):
            run_job(Job(wrong, "wrong"), settings, None, lambda _: None, lambda: begun.append("wrong"))
    run_job(Job(config, "right"), settings, None, lambda _: begun.append("report"), lambda: begun.append("right"))
    assert begun == ["right"]
    with pytest.raises(Conflict):
        run_job(Job(replace(config, seed=9), "right"), settings, None, lambda _: None, lambda: begun.append("other"))
    assert begun == ["right"]


@pytest.mark.parametrize("refuses", ["ray_running", "run_training"])
def test_a_job_without_a_cluster_or_without_room_there_has_not_begun(
    refuses: str, tracker: FakeTracker, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise Unavailable("there is no Ray cluster to join")

    begun: list[str] = []
    monkeypatch.setattr(train_module, refuses, refuse)
    config = replace(TINY, model="minilm", backbone=str(settings.home / "backbone"), data="toys@1", threads=1)
    with pytest.raises(Unavailable, match="no Ray cluster"):
        run_job(Job(config, "one"), settings, None, lambda _: None, lambda: begun.append("one"))
    assert begun == []


@pytest.mark.parametrize("name", ["mine", None])
def test_a_job_of_a_cluster_says_by_which_name_it_is_taken_up(
    name: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[Job] = []

    def run_here(job: Job, *others: Any) -> TrainingResult:
        asked.append(job)
        others[-1]()
        return TrainingResult(str(job.name), "7" * 32, {}, 3, "version", "digest")

    monkeypatch.setenv("UNDERTONE_HOME", str(tmp_path))
    monkeypatch.setattr(command_line, "run_job", run_here)
    with caplog.at_level("INFO"):
        command_line.run_from_command_line("train", "", ["--data", "toys@1", *(["--name", name] if name else [])])
    known = name or asked[0].name
    assert known
    assert caplog.messages == [
        f"Run {known} starts; if it is interrupted, the same command with --name {known} resumes it."
    ]


def test_a_job_tells_of_a_version_that_int8_does_not_suit(
    tracker: FakeTracker, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert done(settings, "one").warning is None
    monkeypatch.setattr(write_version, "agreement", lambda *_: Agreement(5, 0.4, 0.9))
    made = done(settings, "other")
    assert "no int8 engine and is served in full precision" in str(made.warning)
    assert "onnx-int8" not in read_version(Path(made.version)).manifest.engines


def test_versions_that_held_out_the_same_texts_are_averaged_and_others_ask_for_more(
    tracker: FakeTracker, settings: Settings, tmp_path: Path
) -> None:
    one, other = done(settings, "one"), done(settings, "other", learning_rate=1e-3)
    stranger = done(settings, "stranger", seed=7)
    found = run_averaging(settings, AverageConfig((one.version, other.version)), tmp_path / "mean")
    manifests = [read_version(Path(folder)).manifest for folder in (one.version, found["folder"])]
    assert manifests[0].dataset["held_out"] == manifests[1].dataset["held_out"]
    digest = open_datasets(settings).find("toys@1").digest
    assert tracker.runs[-1].tags.items() >= {"dataset": "toys@1", "dataset_digest": digest}.items()
    with pytest.raises(InvalidInput, match="--validation"):
        run_averaging(settings, AverageConfig((one.version, stranger.version)), tmp_path / "mean")
    named = AverageConfig((one.version, stranger.version), validation="toys@1")
    found = run_averaging(settings, named, tmp_path / "mean")
    assert tracker.runs[-1].tags.items() >= {"validation": "toys@1", "validation_digest": digest}.items()
    known = read_version(Path(found["folder"])).manifest.dataset
    assert known["held_out"] != manifests[0].dataset["held_out"]
