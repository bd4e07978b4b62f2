"""A list of checkpoints that a killed driver left cut off is mended from its copy; nothing that can be read is lost."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import sentinel

import pytest

pytest.importorskip("ray.train", reason="training needs the train extra")

from sentiment.errors import Unavailable
from train_jobs.train.checkpoint_list import LIST, CheckpointListCopy, mend_list


def listing(*numbers: int, latest: int) -> str:
    """Return a list of Ray Train's with these checkpoints, the best one last."""
    results = {number: {"checkpoint_dir_name": f"checkpoint_{number}", "metrics": {}} for number in numbers}
    return json.dumps(
        {
            "checkpoint_results": list(results.values()),
            "checkpoint_report_indices": list(numbers),
            "latest_checkpoint_result": results[latest],
            "pending_training_results": [],
            "pending_validation_specs": [],
            "current_report_index": latest + 1,
        }
    )


_FIRST = listing(1, latest=1)


def keep(folder: Path) -> None:
    CheckpointListCopy(folder).after_report(sentinel.context, [{}], sentinel.checkpoint)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return the folder of a run with a checkpoint, whose list was kept."""
    (tmp_path / "checkpoint_1").mkdir()
    (tmp_path / LIST).write_text(_FIRST)
    keep(tmp_path)
    return tmp_path


def test_a_list_that_is_cut_off_is_the_one_before_again(run: Path) -> None:
    for cut in ("", _FIRST[:30], '{"checkpoint_results": [], "text": "\udcff'):
        (run / LIST).write_bytes(cut.encode("utf-8", "surrogateescape"))
        mend_list(run)
        assert json.loads((run / LIST).read_text()) == json.loads(_FIRST)
    assert (run / "checkpoint_1").is_dir()


def test_a_list_that_is_whole_stays_and_a_new_run_has_none(run: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (run / LIST).write_text(newer := listing(1, 2, latest=2))
    mend_list(run)
    assert (run / LIST).read_text() == newer
    new = tmp_path_factory.mktemp("new")
    mend_list(new)
    assert not list(new.iterdir())


def test_without_a_copy_the_run_begins_anew_and_its_checkpoints_are_put_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (1, 2):
        (tmp_path / f"checkpoint_{number}").mkdir()
        (tmp_path / LIST).write_text("")
        with caplog.at_level(logging.WARNING):
            mend_list(tmp_path)
        assert not list(tmp_path.glob("checkpoint_*"))
        assert not (tmp_path / LIST).exists()
        assert (tmp_path / f"put-aside-{number}" / f"checkpoint_{number}").is_dir()
        assert f"put-aside-{number}" in caplog.text


def test_a_list_that_is_being_written_and_a_report_without_a_checkpoint_leave_the_copy(run: Path) -> None:
    (run / LIST).write_text('{"check')
    keep(run)
    (run / LIST).write_text(listing(3, latest=3))
    CheckpointListCopy(run).after_report(sentinel.context, [{}], None)
    (run / LIST).write_text("")
    mend_list(run)
    assert json.loads((run / LIST).read_text()) == json.loads(_FIRST)


@pytest.mark.parametrize("text", ["", _FIRST])
def test_a_list_that_cannot_be_read_is_told_and_no_checkpoint_goes(
    text: str, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run / LIST).write_text(text)
    (run / "checkpoints.json").unlink()
    read_text = Path.read_text

    def stale(path: Path, *args: Any, **options: Any) -> str:
        if path.name == LIST:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return read_text(path, *args, **options)

    monkeypatch.setattr(Path, "read_text", stale)
    with pytest.raises(Unavailable, match=r"checkpoints in .* cannot be read or written \(Stale file handle\)"):
        mend_list(run)
    assert (run / "checkpoint_1").is_dir()


def test_a_driver_killed_before_it_copied_a_list_leaves_the_next_life_no_older_copy(run: Path) -> None:
    (run / "checkpoint_2").mkdir()
    (run / LIST).write_text(second := listing(2, latest=2))
    shutil.rmtree(run / "checkpoint_1")
    mend_list(run)
    (run / LIST).write_text("")
    mend_list(run)
    assert json.loads((run / LIST).read_text()) == json.loads(second)


def test_a_copy_that_is_too_old_names_no_checkpoint_that_is_gone(run: Path) -> None:
    for number in (2, 3):
        (run / f"checkpoint_{number}").mkdir()
    (run / LIST).write_text(listing(2, 1, 3, latest=3))
    keep(run)
    shutil.rmtree(run / "checkpoint_3")
    (run / LIST).write_text("")
    mend_list(run)
    found = json.loads((run / LIST).read_text())
    assert found["checkpoint_results"] == json.loads(listing(2, 1, latest=2))["checkpoint_results"]
    assert found["checkpoint_report_indices"] == [2, 1]
    assert found["latest_checkpoint_result"]["checkpoint_dir_name"] == "checkpoint_2", "the newest that is left"


def test_a_copy_of_which_no_checkpoint_is_left_is_none(run: Path) -> None:
    (run / "checkpoint_1").rename(run / "checkpoint_2")
    (run / LIST).write_text("")
    mend_list(run)
    assert not (run / LIST).exists()
    assert (run / "put-aside-1" / "checkpoint_2").is_dir()


def test_ray_train_takes_what_was_mended(run: Path) -> None:
    from ray.train import CheckpointConfig
    from ray.train.v2._internal.execution.checkpoint.checkpoint_manager import CheckpointManager
    from ray.train.v2._internal.execution.storage import StorageContext

    storage = StorageContext(storage_path=str(run.parent), experiment_dir_name=run.name, read_only=True)
    (run / "checkpoint_2").mkdir()
    lists = json.loads(listing(1, 2, latest=2))
    names = {f"{kind}_checkpoint_dir_names": [] for kind in ("validated", "timed_out_validation", "failed_validation")}
    (run / LIST).write_text(json.dumps({**lists, **names}))
    keep(run)
    shutil.rmtree(run / "checkpoint_2")
    (run / LIST).write_text("")
    mend_list(run)
    manager = CheckpointManager(CheckpointConfig(2, "score", "max"), storage)
    assert manager.latest_checkpoint_result.checkpoint.path.endswith("checkpoint_1")
