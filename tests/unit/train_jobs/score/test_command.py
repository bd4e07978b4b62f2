"""`undertone score` on what cannot be scored: told before Ray is started, with nothing claimed."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.tiny_model import build_tiny_version
from train_jobs.score import run as score_job


@pytest.fixture(autouse=True)
def _no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_job, "ray_started", lambda _: pytest.fail("Ray was started"))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--model", "{version}"], "There is no table in"),
        (["--model", "{version}", "--format", "xlsx"], "must be one of parquet, jsonl, csv"),
        (["--model", "{version}", "--least", "3"], "--least 3 is more than --most 2"),
        (["--model", "{empty}"], "this is not a model version"),
    ],
)
def test_the_command_says_what_is_wrong_before_ray_starts(options: list[str], problem: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    places = {"version": build_tiny_version(tmp_path / "version"), "empty": tmp_path / "empty"}
    words = [option.format(**places) for option in options]
    out = ["--out", str(tmp_path / "out"), "--home", str(tmp_path / "home")]
    result = CliRunner().invoke(app, ["score", str(tmp_path / "empty"), *words, *out])
    assert result.exit_code == 1
    assert problem in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", b"words\nI love it\n", "a.csv has no column 'text'. Its columns are: 'words'."),
        ("a.csv", b"text\ncaf\xe9\n", "--encoding"),
        ("a.parquet", b"text\nI love it\n", "a.parquet"),
    ],
)
def test_a_file_of_another_kind_is_told_before_ray_starts_and_nothing_is_claimed(
    name: str, content: bytes, problem: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    places = ["--out", str(tmp_path / "out"), "--home", str(tmp_path / "home")]
    version = str(build_tiny_version(tmp_path / "version"))
    result = CliRunner().invoke(app, ["score", str(tmp_path / name), "--model", version, *places])
    assert result.exit_code == 1
    assert problem in result.stderr
    assert not (tmp_path / "out").exists()


def test_every_file_is_looked_at_before_ray_starts_and_all_that_are_wrong_are_named(tmp_path: Path) -> None:
    for name, column in {"a.csv": "text", "b.csv": "words", "c.csv": "text", "d.csv": "body"}.items():
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_text(f"{column}\nI love it\n")
    places = ["--out", str(tmp_path / "out"), "--home", str(tmp_path / "home")]
    version = str(build_tiny_version(tmp_path / "version"))
    result = CliRunner().invoke(app, ["score", str(tmp_path / "in"), "--model", version, *places])
    assert result.exit_code == 1
    assert (
        "b.csv has no column 'text'. Its columns are: 'words'. These cannot be scored either: d.csv." in result.stderr
    )
    assert not (tmp_path / "out").exists()
