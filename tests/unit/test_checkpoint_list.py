"""A list of checkpoints that a killed driver left cut off is mended from its copy."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import sentinel

import pytest

pytest.importorskip("ray.train", reason="training needs the train extra")

from train_jobs.checkpoint_list import LIST, ListKeeper, mend_list

_FIRST = '{"checkpoint_results": [1]}'


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return the folder of a run with a checkpoint, whose list was kept."""
    (tmp_path / "checkpoint_1").mkdir()
    (tmp_path / LIST).write_text(_FIRST)
    ListKeeper(tmp_path).after_report(sentinel.context, [{}], sentinel.checkpoint)
    return tmp_path


def test_a_list_that_is_cut_off_is_the_one_before_again(run: Path) -> None:
    for cut in ("", '{"checkpoint_results": [1, 2'):
        (run / LIST).write_text(cut)
        assert mend_list(run)
        assert (run / LIST).read_text() == _FIRST
    assert (run / "checkpoint_1").is_dir()


def test_a_list_that_is_whole_stays_and_a_new_run_has_none(run: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (run / LIST).write_text(newer := '{"checkpoint_results": [1, 2]}')
    assert mend_list(run)
    assert (run / LIST).read_text() == newer
    assert mend_list(tmp_path_factory.mktemp("new"))


def test_without_a_copy_the_run_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "checkpoint_1").mkdir()
    (tmp_path / LIST).write_text("")
    assert not mend_list(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_list_that_is_being_written_and_a_report_without_a_checkpoint_leave_the_copy(run: Path) -> None:
    keeper = ListKeeper(run)
    (run / LIST).write_text('{"check')
    keeper.after_report(sentinel.context, [{}], sentinel.checkpoint)
    (run / LIST).write_text('{"checkpoint_results": [3]}')
    keeper.after_report(sentinel.context, [{}], None)
    (run / LIST).write_text("")
    assert mend_list(run)
    assert (run / LIST).read_text() == _FIRST
