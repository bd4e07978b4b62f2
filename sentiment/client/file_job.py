"""Classify a file into another file, so that a kill at any moment costs no more than the batches in flight.

Beside the target stand `<target>.state.json` (whose result it is, and whether it is finished) and, until then,
`<target>.answers.jsonl` (a line a batch, in the order of the rows). Target and `<target>.rejected.jsonl` appear whole
at the end. Rows have ids made of the file's digest, so that a repeated batch is a retry and no second text.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from sentiment.client.bulk import ADDED_COLUMNS, BATCH_ROWS, Verdict, VerdictCounts, added_names, classify_rows, row_ids
from sentiment.client.http import UndertoneClient
from sentiment.errors import InvalidInput
from sentiment.tables import (
    AUTO,
    INTEGER,
    JSON,
    STRING,
    Kind,
    Row,
    Table,
    delimiter_of,
    ending_of,
    open_table,
    rehearse_table,
    write_table,
)

_REJECTED_COLUMNS: Final = {"row": INTEGER, "reason": STRING, "values": JSON}
#: What a state says of options that were not given; states of earlier versions lack them.
_UNTOLD: Final = {"delimiter": None, "quoting": AUTO}


@dataclass(frozen=True)
class FileJob:
    """What is to be classified, and where to. `delimiter` and `quoting` are as `open_table` has them."""

    source: Path
    target: Path
    text_column: str = "text"
    encoding: str = "utf-8"
    batch_rows: int = BATCH_ROWS
    delimiter: str | None = None
    quoting: str = AUTO

    @property
    def rejected(self) -> Path:
        """Rows without a label, each with its number and the reason."""
        return self._beside("rejected.jsonl")

    @property
    def state(self) -> Path:
        """Whose result the target is."""
        return self._beside("state.json")

    @property
    def answers(self) -> Path:
        """Answers so far, until the target is there."""
        return self._beside("answers.jsonl")

    def _beside(self, ending: str) -> Path:
        return self.target.with_name(f"{self.target.name}.{ending}")


@dataclass(frozen=True)
class FileJobResult:
    """What a run of a file job did."""

    counts: VerdictCounts
    columns: dict[str, str]
    """Added columns, each with the name that it got in the target."""
    resumed_rows: int = 0
    """Rows that an earlier run had classified."""
    was_finished: bool = False
    description: str = ""
    """How the source was read, where there was something to choose."""


def run_job(
    job: FileJob,
    client: UndertoneClient,
    progress: Callable[[VerdictCounts, int], None],
    overwrite: bool = False,
) -> FileJobResult:
    """Classify what is not classified yet and write the target; `progress` gets the counts and the number of all rows.

    Raises:
        InvalidInput: the source cannot be read, has no such column, holds what the target's format cannot, or has
            changed meanwhile; or the target holds something else.
        Unavailable, Overloaded, DeadlineExceeded: the platform is away; running the job again continues it.
    """
    ending_of(job.target)
    table = open_table(job.source, job.encoding, delimiter=job.delimiter, quoting=job.quoting)
    table.require(job.text_column)
    table = table.with_texts(job.text_column)
    identity = _identity(job)
    names = added_names(table.columns)
    if _is_finished(job, identity, overwrite):
        return FileJobResult(_counts_of(_load(job.state)), names, 0, True, table.description)
    if not job.answers.exists():
        sound = (row.values for row in table if row.problem is None)
        rehearse_table(job.target, _columns(table, names), sound)
    with _locked(job.answers) as answers:
        counts = _repaired(answers)
        resumed = counts.rows
        _save(job.state, {**identity, "finished": False})
        _classify_rest(job, client, table, answers, counts, progress)
        _require_unchanged(job, identity)
        _write_results(job, table, names)
        _save(job.state, {**identity, "finished": True, "tally": _plain(counts)})
        job.answers.unlink()
    return FileJobResult(counts, names, resumed, False, table.description)


def _classify_rest(
    job: FileJob,
    client: UndertoneClient,
    table: Table,
    answers: IO[bytes],
    counts: VerdictCounts,
    progress: Callable[[VerdictCounts, int], None],
) -> None:
    progress(counts, table.row_count)
    rows = itertools.islice(table, counts.rows, None)
    id_of = row_ids(*_origin(_identity(job)))
    for verdicts in classify_rows(client, rows, job.text_column, id_of, job.batch_rows):
        answers.write(json.dumps([[v.number, v.values, v.reason] for v in verdicts]).encode() + b"\n")
        answers.flush()
        _count(verdicts, counts)
        progress(counts, table.row_count)


def _write_results(job: FileJob, table: Table, names: dict[str, str]) -> None:
    job.rejected.unlink(missing_ok=True)
    rejected = ((row, v) for row, v in _answered(job, table) if v.values is None)
    lines = ({"row": row.number, "reason": v.reason, "values": row.values} for row, v in rejected)
    if (first := next(lines, None)) is not None:
        write_table(job.rejected, _REJECTED_COLUMNS, itertools.chain([first], lines))
    write_table(job.target, _columns(table, names), _accepted(job, table, names))


def _columns(table: Table, names: dict[str, str]) -> dict[str, Kind]:
    added = {names[name]: kind for name, kind in ADDED_COLUMNS.items()}
    return table.columns | added


def _accepted(job: FileJob, table: Table, names: dict[str, str]) -> Iterator[dict[str, Any]]:
    for row, verdict in _answered(job, table):
        if verdict.values is not None:
            yield row.values | {names[name]: value for name, value in verdict.values.items()}


def _answered(job: FileJob, table: Table) -> Iterator[tuple[Row, Verdict]]:
    with job.answers.open("rb") as file:
        verdicts = (verdict for line in file for verdict in _verdicts(line))
        yield from zip(table, verdicts, strict=True)


def _identity(job: FileJob) -> dict[str, Any]:
    with job.source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    reading = {"delimiter": delimiter_of(job.delimiter), "quoting": job.quoting}
    return {"source_sha256": digest, "text_column": job.text_column, "encoding": job.encoding, **reading}


def _origin(identity: dict[str, Any]) -> list[str]:
    """Return what a row's id is made of; options that say nothing are left out, as they did not exist at first."""
    return [str(value) for name, value in identity.items() if (name, value) not in _UNTOLD.items()]


def _require_unchanged(job: FileJob, identity: dict[str, Any]) -> None:
    """Raise InvalidInput where the source is another file by now: its rows would get the answers of others."""
    if _identity(job) != identity:
        raise InvalidInput(
            f"{job.source} has changed since this run began: put it back as it was and run the same command, or begin "
            "anew with --overwrite.",
            "file",
        )


def _is_finished(job: FileJob, identity: dict[str, Any], overwrite: bool) -> bool:
    """Return whether the target is there already; clear away what an earlier run left if it is to be overwritten."""
    if job.source.resolve() == job.target.resolve():
        raise InvalidInput(f"{job.target} is the input itself: give another --out.", "out")
    if job.target.is_dir():
        raise InvalidInput(f"{job.target} is a folder: give another --out.", "out")
    if overwrite:
        job.state.unlink(missing_ok=True)
        job.answers.unlink(missing_ok=True)
        return False
    state = _load(job.state)
    if not state and job.target.exists():
        raise InvalidInput(f"{job.target} exists and was not written by this command; --overwrite replaces it.", "out")
    if state and {name: state.get(name, _UNTOLD.get(name)) for name in identity} != identity:
        raise InvalidInput(
            f"{job.target} is the result of another file, column, encoding, delimiter or quoting; --overwrite replaces "
            "it.",
            "out",
        )
    return bool(state.get("finished")) and job.target.exists()


def _opened(path: Path) -> IO[bytes]:
    if not path.parent.is_dir():
        raise InvalidInput(f"There is no folder {path.parent}; make it, or give another --out.", "out")
    try:
        return path.open("a+b")
    except OSError as exc:
        raise InvalidInput(f"{path} cannot be written ({exc.strerror}); give another --out.", "out") from exc


def _locked(path: Path) -> IO[bytes]:
    file = _opened(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        file.close()
        raise InvalidInput(f"Another run is writing {path}; wait for it or give another --out.", "out") from exc
    return file


def _repaired(answers: IO[bytes]) -> VerdictCounts:
    """Count the answers so far and cut off a last line that a kill left unfinished."""
    counts, end = VerdictCounts(), 0
    answers.seek(0)
    for line in answers:
        try:
            _count(_verdicts(line), counts)
        except ValueError:
            break
        end += len(line)
    answers.truncate(end)
    return counts


def _verdicts(line: bytes) -> list[Verdict]:
    if not line.endswith(b"\n"):
        raise ValueError("unfinished line")
    return [Verdict(number, values, reason) for number, values, reason in json.loads(line)]


def _count(verdicts: list[Verdict], counts: VerdictCounts) -> None:
    for verdict in verdicts:
        counts.add(verdict)


def _load(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _save(path: Path, state: dict[str, Any]) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)


def _plain(counts: VerdictCounts) -> dict[str, Any]:
    return {
        "labels": counts.labels,
        "rejected": counts.rejected,
        "sentiment_sum": counts.sentiment_sum,
        "versions": sorted(counts.versions),
        "unsupported": counts.unsupported,
    }


def _counts_of(state: dict[str, Any]) -> VerdictCounts:
    plain = state["tally"]
    unsupported = plain.get("unsupported", 0)
    counts = VerdictCounts(rejected=plain["rejected"], unsupported=unsupported, sentiment_sum=plain["sentiment_sum"])
    counts.labels.update(plain["labels"])
    counts.versions.update(plain["versions"])
    return counts
