"""What a job writes for people, what for the command that follows it, and what of libraries it writes to neither."""

from __future__ import annotations

import errno
import json
import logging
import sys
from pathlib import Path

import pytest

from sentiment.errors import InvalidInput, InvalidSettings
from sentiment.settings import FOLLOWED
from train_jobs.runtime.output import FAILURE, PROGRESS, job_output
from train_jobs.runtime.progress import EVERY_S, ProgressSentences, progress_listener
from train_jobs.runtime.ray_log import stdout_aside

MOMENT = {"step": 20.0, "total_steps": 480.0, "epoch": 1.0, "loss": 0.5, "texts_per_s": 1240.0, "eta_s": 3725.0}
VALIDATION = {"step": 40.0, "score": 0.9, "validation_macro_recall": 0.9, "validation_loss": 0.25}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNDERTONE_HOME", str(tmp_path))
    monkeypatch.delenv(FOLLOWED, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InvalidInput("no such\nversion"), "no such version"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/home/models"),
            "The disk is full (/home/models): free some space, or set UNDERTONE_HOME to a folder on another disk.",
        ),
    ],
)
def test_a_job_tells_what_a_user_can_mend_in_one_line_and_a_following_command_in_its_own(
    error: Exception, line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for followed, expected in (("", ("", f"Error: {line}\n")), ("1", (f"{FAILURE}{line}\n", ""))):
        monkeypatch.setenv(FOLLOWED, followed)
        with pytest.raises(SystemExit) as caught, job_output():
            raise error
        assert caught.value.code == 1
        assert capsys.readouterr() == expected


def test_what_nobody_can_mend_is_not_hidden() -> None:
    with pytest.raises(FileNotFoundError), job_output():
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")


def test_a_wrong_setting_is_told_as_well(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("UNDERTONE_PORT", "many")
    with pytest.raises(SystemExit), job_output():
        raise InvalidSettings("never reached")
    assert "UNDERTONE_PORT" in capsys.readouterr().err


def test_a_job_says_what_its_own_code_logs_and_keeps_what_libraries_write_in_a_file(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with job_output():
        logging.getLogger("train_jobs.train").info("run %s", "one")
        logging.getLogger("httpx").info("HTTP Request: GET http://mlflow/health")
        logging.getLogger("botocore.retries").warning("retrying")
        sys.stderr.write("tokenizing: 100%|#####| 10/10\n")
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.partition(" run ")[2] for line in err.splitlines()] == ["one"]
    kept = (home / "logs" / "ray.log").read_text()
    assert all(part in kept for part in ("HTTP Request", "retrying", "tokenizing: 100%"))
    assert "run one" not in kept
    assert not [handler for handler in logging.getLogger().handlers if type(handler) is logging.StreamHandler]


def test_a_validation_is_always_told_and_a_moment_only_now_and_then() -> None:
    said: list[str] = []
    now = [100.0]
    take = ProgressSentences(said.append, lambda: now[0])
    take(MOMENT)
    take(MOMENT)
    take(VALIDATION)
    now[0] += EVERY_S
    take({**MOMENT, "step": 60.0})
    assert said == [
        "step 20 of 480: loss 0.500  1,240 texts/s  left 1:02:05",
        "step 40: macro_recall 0.9000  loss 0.2500",
        "step 60 of 480: loss 0.500  1,240 texts/s  left 1:02:05",
    ]


def test_lines_of_progress_are_for_a_command_that_follows_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    progress_listener(said.append)(MOMENT)
    assert PROGRESS.strip() not in capsys.readouterr().out + said[0]
    monkeypatch.setenv(FOLLOWED, "1")
    take = progress_listener(said.append)
    with stdout_aside():  # as while Ray runs
        take(MOMENT)
        sys.stdout.write("(raylet) A worker died or was killed\n")
    assert capsys.readouterr().out == f"{PROGRESS}{json.dumps(MOMENT)}\n"
    assert len(said) == 1
