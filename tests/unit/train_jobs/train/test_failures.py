"""What a run leaves, and what it says, when a disk is full, a store is away or a node is lost."""

from __future__ import annotations

import errno
import os
import time
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")
ray = pytest.importorskip("ray", reason="training needs the train extra")

from sentiment.errors import RegistryUnavailable, Unavailable  # noqa: E402
from sentiment.models.zoo import save_model  # noqa: E402
from sentiment.training.checkpoint import MODEL, RunIdentity, TrainingProgress, save_checkpoint  # noqa: E402
from sentiment.training.objectives.learner import Learner  # noqa: E402
from tests.tiny_training import TINY, tiny_start  # noqa: E402
from train_jobs.runtime.drafts import draft_of  # noqa: E402
from train_jobs.runtime.failures import reporting_full_disk, run_named  # noqa: E402
from train_jobs.train import progress_channel as watch  # noqa: E402
from train_jobs.train import ray_train as train  # noqa: E402
from train_jobs.versions import write_version  # noqa: E402
from train_jobs.versions.write_version import version_from_model  # noqa: E402

Usage = namedtuple("Usage", "total used free")
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/storage")


class Checkpoint:
    """A checkpoint of Ray's in a folder, or one that cannot be read."""

    def __init__(self, path: Path, failure: OSError | None = None) -> None:
        self.path, self._failure = path, failure

    @contextmanager
    def as_directory(self) -> Iterator[Path]:
        if self._failure:
            raise self._failure
        yield self.path


@pytest.mark.parametrize(("free_bytes", "raised"), [(0, OSError), (1 << 30, RuntimeError)])
def test_a_checkpoint_that_does_not_fit_on_the_disk_says_so(
    free_bytes: int, raised: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("unexpected pos 576 vs 534")

    monkeypatch.setattr(torch, "save", fail)
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(1, 1, free_bytes))
    start = tiny_start()
    learner = Learner(start)
    optimizer = torch.optim.SGD(learner.parameters())
    with pytest.raises(raised, match=r"No space|unexpected pos") as caught:
        save_checkpoint(tmp_path, start, learner, optimizer, TrainingProgress(), RunIdentity(TINY.to_mapping(), ""))
    assert getattr(caught.value, "errno", None) == (errno.ENOSPC if raised is OSError else None)


def test_a_worker_s_full_disk_is_told_with_its_folder_and_other_errors_are_not_hidden() -> None:
    with pytest.raises(Unavailable, match=r"disk is full \(/storage\)"), reporting_full_disk():
        raise FULL
    with pytest.raises(PermissionError), reporting_full_disk():
        raise PermissionError(errno.EACCES, "Permission denied")


def test_a_store_that_is_away_at_the_end_is_told_and_the_best_model_of_before_stays(tmp_path: Path) -> None:
    save_model(tiny_start(), tmp_path / "kept" / MODEL)
    train._copy_model(Checkpoint(tmp_path / "kept"), tmp_path / "best", "run")
    before = sorted(path.name for path in (tmp_path / "best").iterdir())
    away = OSError("AWS Error NETWORK_CONNECTION during HeadObject operation")
    for failure, told in ((away, r"NETWORK_CONNECTION.*--name run"), (FULL, "disk is full")):
        with pytest.raises(Unavailable, match=told):
            train._copy_model(Checkpoint(Path("bucket/run"), failure), tmp_path / "best", "run")
    assert before == sorted(path.name for path in (tmp_path / "best").iterdir())
    assert len(before) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "kept"]


_TRACEBACK = """[Rank 0 Error Snippet]:
Traceback (most recent call last):
  File "/app/train_jobs/train/ray_train.py", line 120, in work
    return _train(job)
{0}
"""
_AWAY = "OSError: When uploading to bucket 'runs': AWS Error NETWORK_CONNECTION: Couldn't connect to server"
_KILLED = """[Rank 1 Error Snippet]:
The actor died unexpectedly before finishing this task.
\tclass_name: RayTrainWorker
The actor died because its node ran out of memory: 1 worker was killed.
Refer to the documentation on how to address the out of memory issue: https://docs.ray.io/x
Set the environment variable RAY_memory_usage_threshold to change the threshold.
"""


@pytest.mark.parametrize(
    ("report", "reason", "remedy"),
    [
        (_TRACEBACK.format(_AWAY), _AWAY, "Check that --storage is up"),
        (_TRACEBACK.format("torch.OutOfMemoryError: CUDA out of memory"), "CUDA out of memory", "fewer batch_tokens"),
        (_KILLED, "its node ran out of memory: 1 worker was killed.", "fewer batch_tokens"),
        (_TRACEBACK.format("ValueError: odd"), "ValueError: odd", "When the cause is removed"),
    ],
)
def test_workers_that_are_lost_too_often_are_told_in_one_line_with_what_to_do(
    report: str, reason: str, remedy: str
) -> None:
    class Trainer:
        def fit(self) -> None:
            raise ray.train.v2.api.exceptions.WorkerGroupError(report, {0: RuntimeError("lost")})

    with pytest.raises(Unavailable) as caught:
        train._fit(cast("Any", Trainer()), "minilm-3f9c21ab")
    told = str(caught.value)
    assert reason in told
    assert remedy in told
    assert "--name minilm-3f9c21ab" in told
    assert "\n" not in told
    assert not any(noise in told for noise in ("Traceback", "Snippet", "line 120", "RAY_memory"))


def test_a_registry_that_is_away_at_the_end_is_told_with_how_the_run_goes_on() -> None:
    with (
        pytest.raises(
            RegistryUnavailable, match=r"does not answer\. When it is available again, .*--name one, goes on"
        ),
        run_named("one"),
    ):
        raise RegistryUnavailable("http://mlflow does not answer")


def test_a_version_whose_making_is_cut_off_replaces_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(start: Any, held_out: Any, folder: Path, *_: object, **__: object) -> None:
        (folder / "manifest.json").write_text("uncalibrated")
        raise KeyboardInterrupt

    save_model(tiny_start(), tmp_path / "model")
    (tmp_path / "version").mkdir()
    (tmp_path / "version" / "manifest.json").write_text("before")
    monkeypatch.setattr(write_version, "export_calibrated", cut_off)
    with pytest.raises(KeyboardInterrupt):
        version_from_model(
            tmp_path / "model",
            [("good", "positive")],
            tmp_path / "version",
            "sentiment",
            dataset={},
            metrics={},
            window_tokens=16,
        )
    assert (tmp_path / "version" / "manifest.json").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "version"]


def test_a_draft_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    for text in ("one", "other"):
        with draft_of(tmp_path / "deep" / "folder") as draft:
            (draft / text).touch()
    assert [path.name for path in (tmp_path / "deep" / "folder").iterdir()] == ["other"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["folder"]


def test_reports_go_on_after_the_node_of_the_mailbox_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [[{"step": 1.0}], watch.ray.exceptions.RayError("the node is gone"), [{"step": 2.0}]]
    taken: list[watch.Report] = []

    def get(_: object) -> Any:
        answer = answers.pop(0) if answers else []
        if isinstance(answer, Exception):
            raise answer
        return answer

    class Remote:
        def remote(self) -> None: ...

    class Handle:
        take = Remote()

    monkeypatch.setattr(watch.ray, "get", get)
    monkeypatch.setattr(watch, "_POLL_S", 0.01)
    with watch.listening(Handle(), taken.append):
        until = time.monotonic() + 10
        while answers and time.monotonic() < until:
            time.sleep(0.01)
    assert [report["step"] for report in taken] == [1.0, 2.0]
