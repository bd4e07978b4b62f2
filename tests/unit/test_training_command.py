"""The commands train and distill: what they need, and how a job's log on a cluster is read."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch", reason="training needs the train extra")

from typer.testing import CliRunner

from cli import extras
from cli.extras import require_train
from cli.main import app
from cli.training import Bar, follow
from sentiment.errors import InvalidInput, UndertoneError
from sentiment.settings import load_settings
from train_jobs.job import FAILURE, OUTCOME, PROGRESS
from train_jobs.storage import storage_of


def test_without_the_extra_the_line_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    require_train()
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(InvalidInput, match=r"\(torch\): pip install 'undertone\[train\]'.*make train-env"):
        require_train()


def test_a_jobs_log_is_read_for_progress_lines_and_the_outcome() -> None:
    reports, said = [], []
    lines = ["starting", f"{PROGRESS}{json.dumps({'step': 3.0})}", f"{OUTCOME}{json.dumps({'name': 'run'})}"]
    assert follow(lines, reports.append, said.append) == {"name": "run"}
    assert (reports, said) == ([{"step": 3.0}], ["starting"])


def test_a_job_that_failed_gives_its_own_message_and_one_that_vanished_says_so() -> None:
    with pytest.raises(UndertoneError, match=r"^no such version$"):
        follow([f"{FAILURE}no such version"], lambda _: None, lambda _: None)
    with pytest.raises(UndertoneError, match="without an outcome"):
        follow(["Killed"], lambda _: None, lambda _: None)


def test_the_bar_names_no_epoch_behind_the_last_one() -> None:
    bar = Bar(3, as_json=True)
    assert [bar.epoch(whole) for whole in (0.0, 1.0, 2.0, 3.0)] == [f"Epoch {n} of 3" for n in (1, 2, 3, 3)]


def test_a_distillation_without_a_teacher_is_refused() -> None:
    result = CliRunner().invoke(app, ["distill", "--data", "tweets@3"])
    assert result.exit_code == 1
    assert "--teacher models:/sentiment/7" in result.stderr


def test_a_wrong_field_is_named_before_anything_starts(tmp_path) -> None:
    result = CliRunner().invoke(app, ["train", "--home", str(tmp_path), "--set", "learning_speed=1"])
    assert result.exit_code == 1
    assert "'learning_speed' is no field" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_checkpoints_go_to_a_folder_to_amazon_or_to_a_server_of_ones_own(tmp_path) -> None:
    plain, own = load_settings(home=tmp_path), load_settings(home=tmp_path, s3_endpoint="http://127.0.0.1:9000")
    assert storage_of(str(tmp_path / "runs"), own) == (str(tmp_path / "runs"), None)
    assert storage_of("s3://bucket/runs", plain) == ("s3://bucket/runs", None)
    path, filesystem = storage_of("s3://bucket/runs", own)
    assert path == "bucket/runs"
    assert filesystem.type_name == "s3"
