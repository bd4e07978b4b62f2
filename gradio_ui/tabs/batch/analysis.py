"""The work behind the tab *Batch*: which texts are meant, their answers as they come, and the files to download."""

from __future__ import annotations

import hashlib
import itertools
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sentiment.client.bulk import ADDED_COLUMNS, Verdict, VerdictCounts, added_names, classify_rows, row_ids
from sentiment.client.http import UndertoneClient
from sentiment.errors import InvalidInput
from sentiment.tables import (
    AUTO,
    BOOLEAN,
    INTEGER,
    NUMBER,
    STRING,
    Kind,
    Row,
    Table,
    distinct,
    open_table,
    rehearse_table,
    write_table,
)
from sentiment.text import has_visible_text

LARGEST_FILE_MB: Final = 50
_LARGEST_UNPACKED_MB: Final = 200
MOST_TEXTS: Final = 20_000
_CSV, _PARQUET = "sentiment.csv", "sentiment.parquet"
_BATCH_ROWS: Final = 50  # small, so that the page moves
_LINE_END: Final = re.compile(r"\r\n|\r|\n")  # str.splitlines parts texts at separators within them, too
_LIKELY_COLUMNS: Final = ("text", "tweet", "content", "review", "comment", "message", "body", "sentence")


@dataclass(frozen=True)
class Source:
    """Texts to analyse. `rows` can be iterated any number of times.

    `origin` identifies the texts: it differs for the same file read with other options.
    """

    columns: dict[str, Kind]
    text_column: str
    row_count: int
    rows: Iterable[Row]
    origin: tuple[str, ...]


@dataclass
class Analysis:
    """An analysis so far."""

    source: Source
    total: int
    tally: VerdictCounts = field(default_factory=VerdictCounts)
    results: list[tuple[Row, Verdict]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def reasons(self) -> list[str]:
        """Why rows were left out, a sentence a row."""
        return [f"Row {verdict.number}: {verdict.reason}." for _, verdict in self.results if verdict.reason]


def lines_source(pasted: str) -> Source:
    """Return pasted texts, one a line, as a source; empty lines are skipped."""
    lines = [line.strip() for line in _LINE_END.split(pasted) if has_visible_text(line)]
    if not lines:
        raise InvalidInput("Upload a file or paste some lines first.")
    rows = [Row(number, {"text": line}) for number, line in enumerate(lines, 1)]
    digest = hashlib.sha256(pasted.encode("utf-8", "replace")).hexdigest()
    return Source({"text": STRING}, "text", len(rows), rows, (digest,))


def uploaded_table(path: Path, delimiter: str = AUTO, quoting: str = AUTO) -> Table:
    """Open an uploaded file as a table; a packed one may hold so much more than the page takes."""
    most_bytes = _LARGEST_UNPACKED_MB * 2**20
    return open_table(path, delimiter=delimiter, quoting=quoting, encoding_option=None, most_bytes=most_bytes)


def file_source(path: Path, text_column: str, delimiter: str = AUTO, quoting: str = AUTO) -> Source:
    """Return a file's column as a source."""
    table = uploaded_table(path, delimiter, quoting)
    table.require(text_column)
    table = table.with_texts(text_column)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Source(
        table.columns,
        text_column,
        table.row_count,
        table,
        (digest, text_column, delimiter, quoting),
    )


def likely_column(columns: Iterable[str]) -> str | None:
    """Return the column that most likely holds the texts: one named like it, else the first."""
    by_name = {name.strip().lower(): name for name in reversed(list(columns))}
    return next((by_name[name] for name in _LIKELY_COLUMNS if name in by_name), next(reversed(by_name.values()), None))


def analyse(
    client: UndertoneClient,
    source: Source,
    number: int | None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Analysis]:
    """Yield the analysis as it grows; `number` of the texts are drawn at random, the same ones each time, or all."""
    total = min(number or source.row_count, source.row_count)
    if total > MOST_TEXTS:
        raise InvalidInput(
            f"{total:,} texts are too many for the page, which takes {MOST_TEXTS:,}. Give a smaller number, or use "
            "`undertone classify-file` for the whole file."
        )
    rehearse_table(Path(_PARQUET), _result_columns(source), (_written(row, source) for row in _sample(source, total)))
    analysis, begun = Analysis(source, total), clock()
    rows, rows_to_send = itertools.tee(_sample(source, total))
    ids = row_ids("page", *source.origin)
    for verdicts in classify_rows(client, rows_to_send, source.text_column, ids, _BATCH_ROWS):
        analysis.results.extend(zip(itertools.islice(rows, len(verdicts)), verdicts, strict=True))
        for verdict in verdicts:
            analysis.tally.add(verdict)
        analysis.seconds = clock() - begun
        yield analysis


def write_downloads(analysis: Analysis, folder: Path) -> tuple[Path, Path]:
    """Write every analysed row, with `problem` where it has no label, as CSV and as Parquet."""
    columns = _result_columns(analysis.source)
    paths = folder / _CSV, folder / _PARQUET
    for path in paths:
        write_table(path, columns, (_result_row(row, verdict, analysis.source) for row, verdict in analysis.results))
    return paths


def _result_columns(source: Source) -> dict[str, Kind]:
    names = added_names(source.columns)
    added = {names[name]: kind for name, kind in ADDED_COLUMNS.items()}
    return source.columns | added | {_problem_name(source): STRING}


def _problem_name(source: Source) -> str:
    return distinct([*source.columns, "problem"])[-1]


def _result_row(row: Row, verdict: Verdict, source: Source) -> dict[str, Any]:
    names = added_names(source.columns)
    added = {names[name]: value for name, value in (verdict.values or {}).items()}
    return _written(row, source) | added | {_problem_name(source): verdict.reason}


def _written(row: Row, source: Source) -> dict[str, Any]:
    """Return a row's values for the downloads. Of a bad row, texts in columns of numbers are left out."""
    if row.problem is None:
        return row.values
    numeric = [name for name, kind in source.columns.items() if kind in (INTEGER, NUMBER, BOOLEAN)]
    return {name: value for name, value in row.values.items() if not (name in numeric and isinstance(value, str))}


def _sample(source: Source, count: int) -> Iterator[Row]:
    """Yield `count` rows in their order, drawn at random but each time the same."""
    if count == source.row_count:
        yield from source.rows
        return
    chosen = set(random.Random(0).sample(range(1, source.row_count + 1), count))
    yield from (row for place, row in enumerate(source.rows, 1) if place in chosen)
