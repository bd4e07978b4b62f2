"""A scoring as it is asked for: places, options, the model; and what is told where it cannot be done."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sentiment.errors import InvalidInput, Unavailable
from sentiment.registry import ResolvedModel
from sentiment.settings import Settings
from tests.tiny_scoring import job_in, table
from train_jobs.runtime.locations import Location, draft_folder, place_at
from train_jobs.score import run as score_job
from train_jobs.score.job import finish, open_job
from train_jobs.score.run import ActorPool, model_at_hand


def test_inputs_are_the_tables_in_a_folder_and_below_hidden_ones_left_out(tmp_path: Path) -> None:
    for name in ("b.csv", "a.jsonl", "deep/c.parquet", ".hidden.csv", "_temporary/d.csv"):
        table(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("no table")
    place = place_at(str(tmp_path / "in"), None)
    assert [file.name for file in place.inputs()] == ["a.jsonl", "b.csv", "deep/c.parquet"]
    alone = place_at(str(tmp_path / "in" / "b.csv"), None)
    (file,) = alone.inputs()
    assert file.name == ""
    with alone.local(file.name) as path:
        assert path == tmp_path / "in" / "b.csv"


def test_an_input_that_is_not_there_or_has_no_table_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"There is no file .*/nothing\.csv\.$"):
        place_at(str(tmp_path / "nothing.csv"), None).inputs()
    with pytest.raises(InvalidInput, match="no table"):
        place_at(str(tmp_path), None).inputs()
    with pytest.raises(InvalidInput, match="ftp"):
        place_at("ftp://host/texts", None)
    with pytest.raises(InvalidInput, match="lies inside the input"):
        job_in(tmp_path, source=str(tmp_path))
    with pytest.raises(InvalidInput, match="format"):
        job_in(tmp_path, format="xml")


def test_fewer_actors_at_most_than_at_least_are_refused() -> None:
    with pytest.raises(InvalidInput, match="--least 3 is more than --most 2"):
        ActorPool(least=3, most=2)


@pytest.mark.parametrize(
    ("options", "field", "problem"),
    [
        ({"least": 0}, "least", "--least is 0; it must be 1 or more"),
        ({"least": -1, "most": -1}, "least", "--least is -1"),
        ({"threads": 0}, "threads", "--threads is 0"),
        ({"gpus": -0.5}, "gpus", "--gpus is -0.5; it must be 0 or more"),
        ({"gpus": float("nan")}, "gpus", "--gpus is nan"),
    ],
)
def test_actors_that_cannot_be_are_refused_with_the_option(options: dict[str, Any], field: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem) as caught:
        ActorPool(**options)
    assert caught.value.field == field


@pytest.mark.parametrize("rows", [0, -5, 100_001])
def test_a_shard_of_no_rows_or_of_too_many_is_refused(rows: int, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=rf"--shard-rows is {rows}; it must be 1 to 100000") as caught:
        job_in(tmp_path, shard_rows=rows)
    assert caught.value.field == "shard_rows"


def test_what_ray_stopped_of_is_told_in_one_line_without_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = pytest.importorskip("ray.exceptions", reason="scoring needs Ray")
    report = """\x1b[36mray::MapBatches()\x1b[39m (pid=7, ip=10.0.0.1)
  File "/app/train_jobs/score/run.py", line 98, in __call__
Traceback (most recent call last):
  File "/app/train_jobs/score/run.py", line 101, in _score
ValueError: odd"""
    monkeypatch.setattr(score_job, "rows_under_way", lambda _: [])
    with pytest.raises(Unavailable) as caught, score_job._told_where(None):
        raise errors.RayError(report)
    assert (
        str(caught.value) == "scoring stopped: ValueError: odd. Completed shards are kept: the same command continues"
    )


def test_a_scoring_that_is_finished_needs_no_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_job, "ray_started", lambda _: pytest.fail("Ray was started"))
    table(tmp_path / "in" / "texts.csv")
    job = job_in(tmp_path)
    open_job(job, job.source.inputs(), overwrite=False)
    finish(job, "8", job.source.inputs())
    model = ResolvedModel(tmp_path / "model", "sentiment", "d" * 64, 8)
    assert score_job.score(job, model, Settings(home=tmp_path)).was_finished


def test_a_reference_into_the_registry_starts_the_server_that_it_needs_and_a_folder_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    @contextmanager
    def server(settings: Settings) -> Iterator[str]:
        started.append("http://127.0.0.1:1")
        yield started[-1]

    def resolve(settings: Settings, ref: str) -> ResolvedModel:
        return ResolvedModel(tmp_path, settings.registry_uri, "d" * 64)

    monkeypatch.setattr("train_jobs.runtime.tracking_server.tracking_server", server)
    monkeypatch.setattr(score_job, "resolve_model", resolve)
    with model_at_hand(Settings(home=tmp_path), str(tmp_path)):
        assert started == []
    with model_at_hand(Settings(home=tmp_path), "champion") as (model, known):
        assert started == [model.name] == [known.registry_uri]


def test_a_full_disk_says_where_room_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fails(*_: Any, **__: Any) -> None:
        raise full

    monkeypatch.setattr(Location, "_rename_into", fails)
    with pytest.raises(
        Unavailable, match=rf"The disk of {tmp_path} is full: free some space.*same command again; it continues"
    ):
        Location(str(tmp_path)).write("done/x.json", b"{}")
    with pytest.raises(Unavailable, match=r"is full: free some space, or set TMPDIR"), draft_folder():
        raise full


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_path_is_not_the_folder_that_the_command_is_typed_in(tmp_path: Path, empty: str) -> None:
    for source, out in ((empty, "out"), ("in", empty)):
        with pytest.raises(InvalidInput, match=r"The path is empty: name a file, a folder or s3://bucket/prefix\."):
            job_in(tmp_path, source=source, out=out)


def test_a_file_that_is_no_table_is_answered_with_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "texts.tar.gz").write_bytes(b"\x1f\x8b\x08\x00packed")
    with pytest.raises(InvalidInput, match=r"texts\.tar\.gz is gzip by its first bytes: unpack it"):
        Location(str(tmp_path / "texts.tar.gz")).inputs()
    with pytest.raises(InvalidInput, match="There is no file or folder"):
        Location(str(tmp_path / "none")).inputs()
