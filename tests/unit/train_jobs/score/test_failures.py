"""What a bulk scoring says when a file, a row, a disk or a worker fails: file, row, reason, and nothing of Ray's."""

from __future__ import annotations

import errno
import os
import pickle
import weakref
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="scoring needs the train extra")

from sentiment.client.bulk import Verdict
from sentiment.errors import InvalidInput, Unavailable, UndertoneError
from sentiment.registry import ResolvedModel
from sentiment.settings import Settings
from sentiment.tables import STRING, Row, Table
from tests.tiny_scoring import job_in, table
from train_jobs.runtime.failures import death_in, reason_in
from train_jobs.score import run as score_job
from train_jobs.score import shards, tasks
from train_jobs.score.board import Board
from train_jobs.score.located import naming_rows, rows_named, unfit_rows
from train_jobs.score.run import require_tables
from train_jobs.score.shards import InputShard

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
#: As Ray 2.60 reports them.
USER_CODE = """UserCodeException: Failed to process the following data block:

The above exception was the direct cause of the following exception:

ray::MapWorker(MapBatches(ShardScorer)).submit() (pid=7, ip=127.0.0.1)
ValueError: year 33658 is out of range
To see the full traceback, set `ray.data.DataContext.get_current().log_internal_stack_trace_to_stdout = True`."""
KILLED = """The actor died unexpectedly before finishing this task.
\tclass_name: MapWorker(MapBatches(ShardScorer))
\tpid: 4711
The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: Worker \
unexpectedly exits with a connection error code 2. End of file. There are some potential root causes. (1) The process \
is killed by SIGKILL by OOM killer due to high memory usage. (2) ray stop --force is called."""
LOW_MEMORY = """Task was killed due to the node running low on memory.
Memory on the node (IP: 10.0.0.1) was 15G / 16G (0.96). Refer to the documentation on how to address the out of memory \
issue: https://docs.ray.io/en/latest/ray-core/scheduling/ray-oom-prevention.html. Set RAY_memory_usage_threshold."""


def shard_of(*values: Any) -> InputShard:
    rows = [Row(number, {"text": "so good", "value": value}) for number, value in enumerate(values, 5)]
    return InputShard("part-00000-000000", "sub/a.csv", {"text": STRING, "value": STRING}, rows)


def positive(rows: Sequence[Row]) -> list[Verdict]:
    values = {"label": "positive", "score": 0.9, "sentiment": 0.9, "model_version": 1}
    return [Verdict(row.number, {**values, "p_negative": 0.0, "p_neutral": 0.1, "p_positive": 0.9}) for row in rows]


def fails_on(*numbers: int) -> Any:
    """Return a scoring that no batch with these rows passes."""

    def verdicts(rows: Sequence[Row]) -> list[Verdict]:
        if wrong := [row.number for row in rows if row.number in numbers]:
            raise ValueError(f"row {wrong[0]} is odd\nTo see more, set ray.data.DataContext")
        return positive(rows)

    return verdicts


@pytest.mark.parametrize(
    ("failure", "kind", "message"),
    [
        (ValueError("year 33658 is out of range\nmore"), InvalidInput, "here: ValueError: year 33658 is out of range"),
        (KeyError("text"), InvalidInput, "here: KeyError: 'text'. Correct it, or remove it."),
        (AssertionError(), InvalidInput, "here: AssertionError. Correct it"),
        (MemoryError(), Unavailable, "here: memory ran out; free some, or give fewer --shard-rows"),
        (PermissionError(13, "Permission denied"), Unavailable, "here: Permission denied"),
        (FULL, Unavailable, "The disk is full: free some space"),
        (InvalidInput("a.csv has no column 'body'.", "text_column"), InvalidInput, "sub/a.csv has no column 'body'."),
        (InvalidInput("The disk fell.", "x"), InvalidInput, "sub/a.csv: The disk fell."),
        (InvalidInput("sub/a.csv is empty.", "x"), InvalidInput, "sub/a.csv is empty."),
        (Unavailable("s3://b is away."), Unavailable, "s3://b is away."),
    ],
)
def test_whatever_fails_is_an_own_error_that_names_the_file_and_survives_pickling(
    failure: Exception, kind: type[UndertoneError], message: str
) -> None:
    with pytest.raises(kind) as caught, naming_rows(lambda: "here", "sub/a.csv"):
        raise failure
    told = pickle.loads(pickle.dumps(caught.value))
    assert str(told).startswith(message)
    assert "\n" not in str(told)


def test_rows_are_called_by_their_numbers_and_their_file() -> None:
    assert rows_named("sub/a.csv", shard_of("a", "b").rows) == "rows 5 to 6 of sub/a.csv"
    assert rows_named("sub/a.csv", shard_of("a").rows) == "row 5 of sub/a.csv"


def test_rows_that_fail_by_themselves_are_found_by_halves() -> None:
    rows, calls = shard_of(*"abcdefghijklmnop").rows, []

    def attempt(part: Sequence[Row]) -> None:
        calls.append(len(part))
        fails_on(6, 17)(part)

    assert unfit_rows(rows, attempt) == {6: "ValueError: row 6 is odd", 17: "ValueError: row 17 is odd"}
    assert len(calls) < 20
    with pytest.raises(Unavailable):
        unfit_rows(rows, lambda _: (_ for _ in ()).throw(Unavailable("away")))


def test_a_row_that_cannot_be_scored_is_rejected_with_its_reason_and_the_others_are_scored(tmp_path: Path) -> None:
    job = job_in(tmp_path, format="jsonl")
    result = tasks.score_shard(shard_of("a", "b", "c"), fails_on(6), job)
    assert (result.rows, result.rejected, result.labels) == (3, 1, {"positive": 2})
    rejected = (tmp_path / "out" / "rejected" / "part-00000-000000.jsonl").read_text()
    assert rejected.startswith('{"row": 6, "reason": "ValueError: row 6 is odd"')
    assert (tmp_path / "out" / "scored" / "part-00000-000000.jsonl").read_text().count("\n") == 2


def test_a_row_that_cannot_be_written_is_rejected_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = shards.write_table

    def picky(path: Path, columns: Any, rows: Any) -> None:
        listed = list(rows)
        if path.suffix == ".parquet" and any(row["value"] == "odd" for row in listed):
            raise TypeError("cannot mix")
        write(path, columns, listed)

    monkeypatch.setattr(shards, "write_table", picky)
    result = tasks.score_shard(shard_of("a", "odd", "c"), positive, job_in(tmp_path))
    assert (result.rows, result.rejected) == (3, 1)


def actor_with(verdicts: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tasks.ShardScorer:
    """Return an actor that scores by `verdicts`, without a model and without Ray."""
    actor = object.__new__(tasks.ShardScorer)
    actor._board, actor._job = None, job_in(folder)
    monkeypatch.setattr(actor, "_verdicts", verdicts)
    monkeypatch.setattr(tasks.boards, "begin", lambda *_: 1)
    monkeypatch.setattr(tasks.boards, "end", lambda *_: None)
    return actor


def test_what_fails_for_all_rows_alike_ends_the_scoring_with_file_rows_and_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = actor_with(fails_on(5, 6, 7), tmp_path, monkeypatch)
    with pytest.raises(InvalidInput) as caught:
        actor({"shard": [shard_of("a", "b", "c")]})
    message = "rows 5 to 7 of sub/a.csv cannot be scored: ValueError: row 5 is odd. Correct it, or remove it."
    assert str(caught.value) == message
    assert not (tmp_path / "out" / "done").exists()


def test_a_full_disk_in_an_actor_or_a_reader_says_where_room_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise FULL

    actor = actor_with(fails, tmp_path, monkeypatch)
    with pytest.raises(Unavailable, match="The disk is full"):
        actor({"shard": [shard_of("a")]})
    monkeypatch.setattr(tasks, "cut_file", fails)
    with pytest.raises(Unavailable, match="The disk is full"):
        list(tasks.cutter(job_in(tmp_path), frozenset())({"name": "a.csv", "number": 0}))


def test_a_file_that_breaks_off_while_it_is_read_is_named_with_the_last_row_that_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows() -> Any:
        yield from shard_of(*"abcde").rows
        raise ValueError("embedded null byte")

    monkeypatch.setattr(shards, "open_table", lambda path, *_, **__: Table(path, {"text": STRING}, 6, rows))
    table(tmp_path / "in" / "sub" / "a.csv")
    cut = tasks.cutter(job_in(tmp_path, shard_rows=2), frozenset())({"name": "sub/a.csv", "number": 0})
    assert [next(cut)["shard"].rows[-1].number for _ in range(2)] == [6, 8]
    with pytest.raises(InvalidInput, match=r"^sub/a\.csv cannot be read after row 8: ValueError: embedded null byte\."):
        next(cut)


def test_a_file_in_a_folder_is_named_from_that_folder_on_before_anything_starts(tmp_path: Path) -> None:
    for name in ("one/a.csv", "two/a.csv"):
        table(tmp_path / "in" / name)
    (tmp_path / "in" / "two" / "a.csv").write_text("body\nso good\n")
    job = job_in(tmp_path)
    with pytest.raises(InvalidInput, match=r"^two/a\.csv has no column 'text'"):
        require_tables(job, job.source.inputs())


def test_a_report_without_a_word_has_no_reason() -> None:
    assert reason_in(" \n") == "no reason is known"


@pytest.mark.parametrize("report", [USER_CODE, KILLED, LOW_MEMORY])
def test_of_ray_s_reports_the_reason_is_told_and_no_advice(report: str) -> None:
    for told in (reason_in(report), death_in(report)):
        assert told
        for word in ("root causes", "ray.data", "DataContext", "https://", "RAY_", "ray stop", "Traceback", "\n"):
            assert word not in told


def test_a_worker_that_is_killed_or_out_of_memory_is_told_with_what_to_do() -> None:
    assert death_in(KILLED).startswith("the worker process was killed or crashed several times; memory may have")
    assert death_in(LOW_MEMORY) == "memory ran out; free some, or give fewer --shard-rows or a lower --most"
    assert death_in(USER_CODE) == "ValueError: year 33658 is out of range"


def test_a_death_is_told_with_the_rows_that_were_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.exceptions import RayError

    board = Board()
    for shard, rows in (("p0", "rows 1 to 6 of a.csv"), ("p1", "rows 7 to 9 of a.csv"), ("p0", "rows 1 to 6 of a.csv")):
        board.begin(shard, rows)
    board.end("p1")
    assert board.begin("p1", "rows 7 to 9 of a.csv") == 1
    board.end("p1")
    monkeypatch.setattr(score_job, "rows_under_way", Board.under_way)
    with pytest.raises(Unavailable) as caught, score_job._told_where(board):
        raise RayError(KILLED)
    assert str(caught.value).startswith("scoring stopped at rows 1 to 6 of a.csv: the worker process was killed")
    assert str(caught.value).endswith("Completed shards are kept: the same command continues")


def test_a_shard_that_workers_died_over_four_times_is_not_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board()
    actor = actor_with(positive, tmp_path, monkeypatch)
    monkeypatch.setattr(tasks.boards, "begin", lambda _, *words: board.begin(*words))
    for _ in range(3):
        board.begin("part-00000-000000", "rows 5 to 6 of sub/a.csv")
    assert actor({"shard": [shard_of("a", "b")]})["result"]
    with pytest.raises(
        Unavailable, match=r"^scoring stopped at rows 5 to 6 of sub/a\.csv: the worker process was kill"
    ):
        actor({"shard": [shard_of("a", "b")]})


def test_an_own_error_is_raised_as_it_is() -> None:
    with pytest.raises(InvalidInput, match=r"^a\.csv is empty$"), score_job._told_where(None):
        raise InvalidInput("a.csv is empty")


def test_an_own_error_in_ray_s_wrapping_is_unwrapped() -> None:
    from ray.exceptions import RayTaskError

    own = InvalidInput("a.csv is empty\nFailed to apply UDF. Set ray.data.DataContext", "source")
    wrapped = RayTaskError("cut", "ray::cut()\nTraceback …", own).as_instanceof_cause()
    assert isinstance(wrapped, InvalidInput)
    with pytest.raises(InvalidInput) as caught, score_job._told_where(None):
        raise wrapped
    assert (type(caught.value), str(caught.value)) == (InvalidInput, "a.csv is empty")


class Execution:
    """Stands for Ray Data's, which ends once nothing refers to it."""


def test_the_error_of_a_failed_scoring_keeps_nothing_of_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[weakref.ref[Execution]] = []

    def fails(*_: object) -> Iterator[shards.ShardResult]:
        execution = Execution()
        alive.append(weakref.ref(execution))
        try:
            raise ValueError("an actor's")
        except ValueError as exc:
            raise Unavailable("scoring stopped") from exc
        yield from ()

    monkeypatch.setattr(score_job, "ray_started", lambda _: nullcontext())
    monkeypatch.setattr(score_job, "_run", fails)
    table(tmp_path / "in" / "a.csv")
    model = ResolvedModel(tmp_path, "sentiment", "d" * 64, 8)
    with pytest.raises(Unavailable) as held:
        score_job.score(job_in(tmp_path), model, Settings(home=tmp_path / "home"))
    assert held.value.__cause__ is not None
    assert [reference() for reference in alive] == [None]
