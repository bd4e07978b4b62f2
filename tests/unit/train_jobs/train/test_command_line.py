"""Options that a command and its module both take: the same names, the same defaults, the same refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs the train extra")

from typer.main import get_command
from typer.testing import CliRunner

from cli.main import app
from sentiment.errors import InvalidInput
from sentiment.settings import FOLLOWED
from sentiment.training.config import DistillConfig
from train_jobs import distill
from train_jobs.runtime.options import read_options
from train_jobs.runtime.output import OUTCOME
from train_jobs.train import __main__ as train
from train_jobs.train import command_line
from train_jobs.train import job as job_module
from train_jobs.train.command_line import run_from_command_line
from train_jobs.train.request import Job, TrainingResult, job_of
from train_jobs.train.training_options import DistillOptions, TrainOptions

MODULES = {"train": (train, TrainOptions), "distill": (distill, DistillOptions)}
FIGURES = {"validation_macro_recall": 0.5, "validation_loss": 0.25}


def options_of(command: str) -> dict[str, Any]:
    """Return the options of a command and their defaults."""
    parameters = get_command(app).commands[command].params  # type: ignore[attr-defined]
    return {part.opts[0]: part.default for part in parameters if part.opts[0].startswith("--")}


def every_option(command: str, folder: Path) -> list[str]:
    """Return a command line that gives each option of a command but those of its own cluster."""
    (folder / "base.yaml").write_text("patience: 3\n")
    given = {"--data": "toys@1", "--model": "cnn", "--validation": "others@2", "--backbone": "words", "--epochs": "7"}
    given |= {"--learning-rate": "0.5", "--config": str(folder / "base.yaml"), "--set": "seed=7", "--name": "mine"}
    given |= {"--storage": "kept", "--workers": "2", "--gpus-per-worker": "1", "--wait": "5", "--home": str(folder)}
    given |= {"--teacher": "models:/sentiment/7", "--unlabelled": "more.jsonl", "--mixed": "5", "--temperature": "3"}
    given |= {"--hard-weight": "0.5", "--hidden-weight": "0.25", "--languages": "en,de"}
    known = options_of(command)
    assert known.keys() <= given.keys() | {"--register", "--json", "--address", "--working-dir"}
    return [word for name, value in given.items() if name in known for word in (name, value)] + ["--register", "--json"]


@pytest.mark.parametrize("command", MODULES)
def test_every_option_of_a_command_means_the_same_to_its_module(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[Job, Path]] = []

    def run_job(job: Job, settings: Any, *_: Any, **__: Any) -> TrainingResult:
        asked.append((job, settings.home))
        return TrainingResult(str(job.name), "7" * 32, FIGURES, 3, "version", "digest")

    monkeypatch.setattr(job_module, "run_job", run_job)
    monkeypatch.setattr(command_line, "run_job", run_job)
    monkeypatch.setenv("UNDERTONE_TRACKING_URI", "http://mlflow:5000")
    words = every_option(command, tmp_path)
    result = CliRunner().invoke(app, [command, *words])
    assert result.exit_code == 0, result.output
    MODULES[command][0].main(words)
    outcome = json.loads(capsys.readouterr().out)
    assert asked[0] == asked[1]
    assert outcome == json.loads(result.stdout)
    config = asked[0][0].config
    assert (config.patience, config.seed, config.epochs, config.learning_rate) == (3, 7, 7, 0.5)
    assert (asked[0][0].workers, asked[0][0].wait_s) == (2, 300.0)
    assert asked[0][1] == tmp_path
    lesson = DistillConfig("models:/sentiment/7", 3.0, 0.5, 0.25, "more.jsonl", 5)
    assert config.distill == (lesson if command == "distill" else None)


def test_a_student_is_the_preset_of_a_distillation_unless_a_file_or_an_option_names_another() -> None:
    taught = {"teacher": "models:/sentiment/7"}
    assert job_of("distill", DistillOptions(**taught)).config.model == "student"
    assert job_of("distill", DistillOptions(**taught, changes=["model=cnn"])).config.model == "cnn"
    assert job_of("distill", DistillOptions(**taught, changes=["model=cnn"], model="lstm")).config.model == "lstm"


def test_a_job_that_nobody_follows_tells_what_it_made_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = TrainingResult("mine", "7" * 32, FIGURES, 3, "version", "digest", warning="no int8")
    monkeypatch.setattr(command_line, "run_job", lambda *_, **__: made)
    words = ["--data", "toys@1", "--home", str(tmp_path)]
    run_from_command_line("train", "", words)
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"Run mine (MLflow {'7' * 32}), 3 steps",
        "Best on validation: macro_recall 0.5000  loss 0.2500",
        "Version: version",
        f"Register it with: undertone models register {'7' * 32}",
    ]
    assert err.splitlines()[-1] == "Warning: no int8"
    monkeypatch.setenv(FOLLOWED, "1")
    run_from_command_line("train", "", words)
    assert json.loads(capsys.readouterr().out.removeprefix(OUTCOME))["steps"] == 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--workers", "0"], "'--workers'"),
        (["--workers", "two"], "'--workers'"),
        (["--gpus-per-worker", "-1"], "'--gpus-per-worker'"),
        (["--epochs", "many"], "'--epochs'"),
        (["--ephocs", "3"], "--ephocs"),
        (["stray"], "stray"),
    ],
)
def test_a_wrong_option_ends_a_module_with_status_2_and_its_name(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        read_options(TrainOptions, "python -m train_jobs.train", "", words)
    assert caught.value.code == 2
    assert told in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--address", "http://head:8265"], "is the address of a dashboard, for `undertone train`"),
        (["--address", "https://head"], "--address HOST:6379"),
        (["--working-dir", "code"], "runs the installed code: leave it out"),
        (["--set", "seed"], "FIELD=VALUE"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_what_a_module_cannot_do_is_refused_in_one_line(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run_from_command_line("train", "", [*words, "--home", str(tmp_path)])
    assert caught.value.code == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    assert told in line


def test_code_for_a_cluster_without_a_cluster_is_refused() -> None:
    result = CliRunner().invoke(app, ["train", "--data", "toys@1", "--working-dir", "code"])
    assert result.exit_code == 1
    assert "--address http://HOST:8265" in result.stderr


def test_a_distillation_without_a_teacher_is_refused_by_both() -> None:
    with pytest.raises(InvalidInput, match="--teacher models:/NAME/NUMBER"):
        job_of("distill", DistillOptions(data="toys@1"))
