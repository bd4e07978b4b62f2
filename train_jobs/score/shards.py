"""Shards: runs of consecutive rows of a file, the same in every run; each is scored, written and counted once."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from sentiment.client.bulk import ADDED_COLUMNS, Verdict, VerdictCounts, added_names, reason_against
from sentiment.labels import THREE_CLASSES, sentiment_of
from sentiment.predictor import Predictor
from sentiment.records import Answers
from sentiment.tables import (
    AUTO,
    INTEGER,
    JSON,
    STRING,
    Kind,
    Row,
    has_text_format,
    open_table,
    write_table,
)
from sentiment.text import NO_WORDS, NORMALIZERS
from train_jobs.runtime.locations import Location, draft_folder

SCORED: Final = "scored"
REJECTED: Final = "rejected"
DONE: Final = "done"
_NAME: Final = re.compile(r"part-(\d+)-\d+")
_REJECTED_COLUMNS: Final[dict[str, Kind]] = {"row": INTEGER, "reason": STRING, "values": JSON}


@dataclass(frozen=True)
class InputShard:
    """Consecutive rows of a file."""

    name: str
    """Sorts in the order of the rows."""
    source: str
    columns: dict[str, Kind]
    """The columns of the whole file."""
    rows: Sequence[Row]


@dataclass(frozen=True)
class ShardResult:
    """The record of a completed shard, stored under `done/` after its output."""

    name: str
    source: str
    output: str
    rows: int
    rejected: int
    labels: dict[str, int]
    sentiment_sum: float
    unsupported: int = 0
    renamed: dict[str, str] = field(default_factory=dict)
    """Added columns whose names the file had already, each with the name that it got instead."""

    def to_json(self) -> bytes:
        """Return the record as it is stored."""
        return json.dumps(asdict(self)).encode() + b"\n"


def shard_name(file_number: int, shard_number: int) -> str:
    """Return the name of a shard, made of the numbers of its file and of itself."""
    return f"part-{file_number:05d}-{shard_number:06d}"


def file_number_of(name: str) -> int | None:
    """Return the number of the input file from the name of a shard or of its output; None for other names."""
    match = _NAME.match(name)
    return int(match[1]) if match else None


def cut_file(
    path: Path,
    source: str,
    file_number: int,
    shard_rows: int,
    text_column: str,
    encoding: str,
    delimiter: str | None = None,
    quoting: str = AUTO,
) -> Iterator[InputShard]:
    """Yield the shards of a table, in constant memory; `delimiter` and `quoting` apply to CSV and TSV files.

    Raises:
        InvalidInput: the table cannot be read, or has no such column.
    """
    if has_text_format(path):
        table = open_table(path, encoding, delimiter=delimiter, quoting=quoting)
    else:
        table = open_table(path, encoding)
    table.require(text_column)
    table = table.with_texts(text_column)
    rows = iter(table)
    for number in itertools.count():
        batch = list(itertools.islice(rows, shard_rows))
        if not batch:
            return
        yield InputShard(shard_name(file_number, number), source, table.columns, batch)


@dataclass(frozen=True)
class ScoringRules:
    """How rows are scored: the column of texts, the longest text in characters, the version's number if it has one."""

    text_column: str
    most_characters: int
    model_version: int | None


def score_rows(predictor: Predictor, rows: Sequence[Row], scoring: ScoringRules) -> list[Verdict]:
    """Return a verdict for each row, in order; a row that the model fails on gets a reason instead of an answer."""
    normalize = NORMALIZERS[predictor.version.manifest.normalizer]
    reasons = {row.number: _reason(row, scoring) for row in rows}
    texts = {row.number: normalize(row.values[scoring.text_column]) for row in rows if not reasons[row.number]}
    reasons.update({number: f"{scoring.text_column!r} {NO_WORDS}" for number, text in texts.items() if not text})
    sound = [row for row in rows if reasons[row.number] is None]
    answers = predictor.predict([texts[row.number] for row in sound])
    scored = {row.number: _verdict(row, answers, place, scoring) for place, row in enumerate(sound)}
    return [scored.get(row.number) or Verdict(row.number, None, reasons[row.number]) for row in rows]


def write_shard(shard: InputShard, verdicts: Sequence[Verdict], out: Location, ending: str) -> ShardResult:
    """Write a shard's output, its rejected rows, and last the record that it is done.

    If this is interrupted before the record, the shard is scored again and replaces the same files: no row is doubled.
    """
    counts = VerdictCounts()
    for verdict in verdicts:
        counts.add(verdict)
    output, rejected = f"{SCORED}/{shard.name}{ending}", f"{REJECTED}/{shard.name}.jsonl"
    pairs = list(zip(shard.rows, verdicts, strict=True))
    _put(out, output, *_scored(shard, pairs))
    if counts.rejected:
        _put(out, rejected, _REJECTED_COLUMNS, _bad(pairs))
    result = ShardResult(
        shard.name,
        shard.source,
        output,
        counts.rows,
        counts.rejected,
        dict(counts.labels),
        counts.sentiment_sum,
        counts.unsupported,
        {added: name for name, added in added_names(shard.columns).items() if added != name},
    )
    out.write(f"{DONE}/{shard.name}.json", result.to_json())
    return result


def try_rows(shard: InputShard, rows: Sequence[Row], verdicts: Sequence[Verdict], ending: str) -> None:
    """Write some rows of a shard into a temporary file. Raises what `write_table` raises."""
    with draft_folder() as folder:
        write_table(folder / f"rows{ending}", *_scored(shard, list(zip(rows, verdicts, strict=True))))


def read_result(content: bytes) -> ShardResult:
    """Return the record of a completed shard from its stored form."""
    return ShardResult(**json.loads(content))


def _reason(row: Row, scoring: ScoringRules) -> str | None:
    reason = reason_against(row, scoring.text_column)
    if reason is not None:
        return reason
    length = len(row.values[scoring.text_column])
    if length > scoring.most_characters:
        return f"{scoring.text_column!r} has {length:,} characters; at most {scoring.most_characters:,} are allowed"
    return None


def _verdict(row: Row, answers: Answers, place: int, scoring: ScoringRules) -> Verdict:
    probabilities, labels = answers.probabilities[place], answers.labels
    if probabilities is None:
        return Verdict(row.number, None, answers.errors.get(place, "the model gave no answer"))
    by_label = dict(zip(labels, probabilities, strict=True))
    label = max(by_label, key=by_label.__getitem__)
    values: dict[str, Any] = {
        "label": label,
        "score": by_label[label],
        "sentiment": sentiment_of(probabilities, labels),
        **{f"p_{name}": by_label.get(name, 0.0) for name in THREE_CLASSES},
        "model_version": scoring.model_version,
        "language": answers.languages[place],
        "supported": answers.supported[place],
    }
    return Verdict(row.number, values)


def _scored(
    shard: InputShard, pairs: Sequence[tuple[Row, Verdict]]
) -> tuple[dict[str, Kind], Iterator[dict[str, Any]]]:
    """Return the columns and the rows of a shard's output."""
    names = added_names(shard.columns)
    columns = {**shard.columns, **{names[name]: kind for name, kind in ADDED_COLUMNS.items()}}
    rows = (
        {**row.values, **{names[name]: value for name, value in verdict.values.items()}}
        for row, verdict in pairs
        if verdict.values is not None
    )
    return columns, rows


def _bad(pairs: Sequence[tuple[Row, Verdict]]) -> Iterator[dict[str, Any]]:
    for row, verdict in pairs:
        if verdict.values is None:
            yield {"row": row.number, "reason": verdict.reason, "values": row.values}


def _put(out: Location, name: str, columns: dict[str, Kind], rows: Iterator[dict[str, Any]]) -> None:
    with draft_folder() as folder:
        draft = folder / Path(name).name
        write_table(draft, columns, rows)
        out.put(name, draft)
