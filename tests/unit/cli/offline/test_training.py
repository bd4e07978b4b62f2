"""The commands train and distill: what they need, and how a job's log on a cluster is read."""

from __future__ import annotations

import errno
import json
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs the train extra")

from typer.testing import CliRunner

from cli import extras
from cli.extras import require_train
from cli.main import app
from cli.offline.training import Bar
from sentiment.datasets import open_datasets
from sentiment.errors import InvalidInput, Unavailable, UndertoneError
from sentiment.models.zoo import save_model
from sentiment.settings import load_settings
from sentiment.training.config import DistillConfig, TrainConfig
from tests.tiny_training import examples, tiny_start
from train_jobs.runtime.output import FAILURE, OUTCOME, PROGRESS, follow
from train_jobs.runtime.storage import storage_of
from train_jobs.runtime.submit import lines_of
from train_jobs.train.request import Job, TrainingResult


def test_without_the_extra_the_line_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    require_train()
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(InvalidInput, match=r"\(torch\): pip install 'undertone\[train\]'.*make train-env"):
        require_train()


def test_a_jobs_log_is_read_for_progress_lines_and_the_outcome() -> None:
    reports, said = [], []
    of_ray = ["2026-11-29 14:29:48,466\tINFO job_manager.py:581 -- Runtime env is setting up."]
    of_ray += ["Running entrypoint for job raysubmit_7: env nice -n 15 python -m train_jobs.train --config '{}'"]
    lines = [*of_ray, "starting", f"{PROGRESS}{json.dumps({'step': 3.0})}", f"{OUTCOME}{json.dumps({'name': 'run'})}"]
    assert follow(lines, reports.append, said.append) == {"name": "run"}
    assert (reports, said) == ([{"step": 3.0}], ["starting"])


def test_a_job_that_failed_gives_its_own_message_and_one_that_vanished_says_so() -> None:
    with pytest.raises(UndertoneError, match=r"^no such version$"):
        follow([f"{FAILURE}no such version"], lambda _: None, lambda _: None)
    with pytest.raises(UndertoneError, match="without an outcome"):
        follow(["Killed"], lambda _: None, lambda _: None)


def test_a_log_that_breaks_off_says_that_the_job_goes_on_and_how_to_see_the_rest() -> None:
    class Client:
        async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
            yield "first\nsec"
            yield "ond\n"
            raise RuntimeError("closed with 1006")

    lines = lines_of(Client(), "job_7", "http://head:8265")
    assert [next(lines), next(lines)] == ["first", "second"]
    with pytest.raises(Unavailable, match=r"1006.*the job goes on.*--address http://head:8265 job_7"):
        next(lines)


def test_a_log_that_is_read_no_further_is_closed_at_once() -> None:
    events = []

    class Client:
        async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
            try:
                yield f"{FAILURE}no such version\n"
                yield "never asked for\n"
            finally:
                events.append("closed")

    lines = lines_of(Client(), "job_7", "http://head:8265")
    with pytest.raises(UndertoneError, match=r"^no such version$"), closing(lines):
        follow(lines, events.append, events.append)
    assert events == ["closed"]


def test_a_full_disk_is_told_by_the_command_without_a_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))

    monkeypatch.setattr("cli.stores.data.open_datasets", full)
    result = CliRunner().invoke(app, ["data", "list", "--home", str(tmp_path)])
    assert result.exit_code == 1
    assert f"The disk is full ({tmp_path})" in result.stderr


def test_the_bar_names_no_epoch_behind_the_last_one() -> None:
    bar = Bar(3, as_json=True)
    assert [bar.epoch(whole) for whole in (0.0, 1.0, 2.0, 3.0)] == [f"Epoch {n} of 3" for n in (1, 2, 3, 3)]


def test_what_is_given_on_the_command_line_reaches_the_job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Job] = []
    figures = dict.fromkeys(("macro_recall", "macro_f1", "accuracy", "loss", "ece"), 0.5)

    def run_job(job: Job, *told: Any) -> TrainingResult:
        asked.append(job)
        told[-2]()
        metrics = {f"validation_{name}": value for name, value in figures.items()}
        return TrainingResult(str(job.name), "7" * 32, metrics, 3, "version", "digest")

    monkeypatch.setattr("train_jobs.train.job.run_job", run_job)
    shared = [
        "--data",
        "toys@1",
        "--epochs",
        "2",
        "--set",
        "seed=7",
        "--workers",
        "2",
        "--storage",
        "kept",
        "--register",
    ]
    shared += ["--home", str(tmp_path), "--json"]
    for command in (
        ["train", "--name", "mine"],
        ["distill", "--teacher", "models:/sentiment/7", "--hard-weight", "0.5"],
    ):
        result = CliRunner().invoke(app, [*command, *shared])
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["name"] == asked[-1].name
        name = asked[-1].name
        assert (
            f"Run {name} starts; if it is interrupted, the same command with --name {name} resumes it." in result.stderr
        )
    trained, distilled = asked
    common = {"data": "toys@1", "epochs": 2, "seed": 7}
    assert trained == Job(TrainConfig(**common), "mine", "kept", 2, register=True)
    lesson = DistillConfig("models:/sentiment/7", hard_weight=0.5)
    assert distilled == replace(
        trained, config=TrainConfig(model="student", distill=lesson, **common), name=asked[1].name
    )
    assert str(distilled.name).startswith("student-")


def test_a_distillation_without_a_teacher_is_refused() -> None:
    result = CliRunner().invoke(app, ["distill", "--data", "tweets@3"])
    assert result.exit_code == 1
    assert "--teacher models:/NAME/NUMBER" in result.stderr
    result = CliRunner().invoke(app, ["distill", "--data", "tweets@3", "--set", "distill=models:/sentiment/7"])
    assert result.exit_code == 1
    assert "it must be a mapping" in result.stderr


def test_a_wrong_field_is_named_before_anything_starts(tmp_path) -> None:
    result = CliRunner().invoke(app, ["train", "--home", str(tmp_path), "--set", "learning_speed=1"])
    assert result.exit_code == 1
    assert "'learning_speed' is not a field" in result.stderr
    assert list(tmp_path.iterdir()) == []


def toys(home) -> list[str]:
    """Push a few texts into a home and return the options of a training on them."""
    open_datasets(load_settings(home=home)).push("toys", examples(30), source="tests")
    save_model(tiny_start(), home / "backbone")
    return ["--home", str(home), "--data", "toys@1", "--model", "minilm", "--backbone", str(home / "backbone")]


@pytest.mark.parametrize(
    ("command", "options", "problem"),
    [
        ("train", ["--data", "toys@2"], "toys@2"),
        ("train", ["--validation", "others@1"], "others"),
        ("train", ["--set", "overrides.dropuot=0.2"], "'dropuot'"),
        ("train", ["--set", "window_tokens=64"], "window_tokens is 64"),
        ("train", ["--model", "gpt"], "'gpt'"),
        ("train", ["--name", "../elsewhere"], "'../elsewhere' cannot name a run"),
        ("train", ["--storage", "s4://bucket"], "s4://bucket cannot hold checkpoints"),
        ("train", ["--storage", "/dev/null/runs"], "/dev/null/runs cannot be written"),
        ("train", ["--gpus-per-worker", "64"], "asks for 64 GPUs in all"),
        ("distill", ["--teacher", "anything", "--unlabelled", "nowhere.jsonl"], "nowhere.jsonl"),
    ],
)
def test_what_cannot_be_trained_is_told_before_anything_is_started(tmp_path, command, options, problem) -> None:
    result = CliRunner().invoke(app, [command, *toys(tmp_path), "--set", "window_tokens=16", *options])
    assert result.exit_code == 1
    assert problem in result.stderr
    assert "Getting ready" not in result.stderr
    assert "begins" not in result.stderr
    assert {entry.name for entry in tmp_path.iterdir()} == {"datasets", "backbone", "logs"}


def test_a_search_whose_space_cannot_be_trained_is_told_before_anything_is_started(tmp_path) -> None:
    (tmp_path / "space.yaml").write_text("space: {overrides.dropuot: {choice: [0.5]}}\n")
    home, *options = toys(tmp_path)[1:]
    configured = ["--set", f"backbone={options[-1]}", "--set", "window_tokens=16", *options[:4]]
    result = CliRunner().invoke(app, ["tune", "--home", home, "--space", str(tmp_path / "space.yaml"), *configured])
    assert result.exit_code == 1
    assert "'dropuot'" in result.stderr
    taken = CliRunner().invoke(app, ["tune", "--home", home, "--space", "dropout", "--out", home, *configured])
    assert taken.exit_code == 1
    assert "is a folder: name a file" in taken.stderr
    assert {entry.name for entry in tmp_path.iterdir()} == {"datasets", "backbone", "space.yaml", "logs"}


def test_checkpoints_go_to_a_folder_to_amazon_or_to_a_server_of_ones_own(tmp_path) -> None:
    plain, own = load_settings(home=tmp_path), load_settings(home=tmp_path, s3_endpoint="http://127.0.0.1:9000")
    assert storage_of(str(tmp_path / "runs"), own) == (str(tmp_path / "runs"), None)
    assert storage_of("s3://bucket/runs", plain) == ("s3://bucket/runs", None)
    path, filesystem = storage_of("s3://bucket/runs", own)
    assert path == "bucket/runs"
    assert filesystem.type_name == "s3"
