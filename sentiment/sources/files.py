"""Tables as sources: CSV, JSON Lines and Parquet, in the order of their rows; the position is the number of a row."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sentiment.datasets.source.labelling import Labelling
from sentiment.errors import InvalidInput
from sentiment.sources.columns import Columns, RowReader
from sentiment.sources.record import Arrival, Position
from sentiment.sources.times import reader_of_column, zone_of
from sentiment.tables import AUTO, Row, Table, json_line, open_table

#: Kinds of files, by the endings that tell them.
KINDS: Final = {
    "csv": (".csv", ".tsv", ".csv.gz", ".tsv.gz"),
    "jsonl": (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz"),
    "parquet": (".parquet",),
}
_CHECKED_ROWS: Final = 1000
#: Rows that are read at a stretch before others get their turn.
_TURN_ROWS: Final = 100


@dataclass(frozen=True)
class FileFormat:
    """How a text file is written; as `sentiment.tables.open_table` has it."""

    encoding: str = "utf-8"
    delimiter: str | None = None
    quoting: str = AUTO
    header: tuple[str, ...] | None = None


@dataclass(frozen=True)
class SourceReading:
    """What the columns of a source are, and how their times and labels are written."""

    columns: Columns = field(default_factory=Columns)
    time_format: str | None = None
    time_zone: str = "UTC"
    labels: str | None = None


@dataclass(frozen=True)
class FileSource:
    """The rows of a table as records."""

    table: Table
    reader: RowReader

    @property
    def expected(self) -> int:
        """How many rows the file has."""
        return self.table.row_count

    async def arrivals(self, position: Position | None) -> AsyncGenerator[Arrival]:
        """Yield the rows behind `position`.

        Raises:
            InvalidInput: the row at `position` is another than it was, or there is none any more.
        """
        rows = iter(self.table)
        if position is not None:
            await asyncio.to_thread(self._skip, rows, position)
        for row in rows:
            yield Arrival(self.reader.read(row), row.number, {"row": row.number, "digest": _digest(row)})
            if row.number % _TURN_ROWS == 0:
                await asyncio.sleep(0)

    def _skip(self, rows: Iterator[Row], position: Position) -> None:
        last = next((row for row in rows if row.number >= position["row"]), None)
        if last is None or _digest(last) != position["digest"]:
            raise InvalidInput(
                f"{self.table.path.name} is not the file of which {self.reader.name!r} has read {position['row']} "
                "rows: give another --name, or start from the beginning with --restart.",
                "file",
            )


def open_file(
    kind: str, path: Path, name: str, reading: SourceReading, form: FileFormat, now_ms: Callable[[], int]
) -> FileSource:
    """Look a file through and return it as a source.

    Raises:
        InvalidInput: it is no file of this kind, cannot be read, or lacks a column; its dates have no one reading; a
            label has no meaning.
    """
    _require_kind(kind, path)
    zone, labels, columns = zone_of(reading.time_zone), Labelling(reading.labels), reading.columns
    table = open_table(
        path,
        form.encoding,
        form.header,
        delimiter=form.delimiter,
        quoting=form.quoting,
        needed=columns.needed,
    )
    columns.require(table)
    table = table.with_texts(columns.text)

    def cells() -> Iterator[tuple[int, Any]]:
        rows = (columns.reached(row) for row in table if row.problem is None)
        return ((row.number, row.values.get(columns.time or "")) for row in rows)

    where = f"{path.name}, column {columns.time!r}"
    times = reader_of_column(cells if columns.time else lambda: (), reading.time_format, zone, where)
    reader = RowReader(name, columns, times, labels, now_ms)
    reader.require_labels(list(itertools.islice(table, _CHECKED_ROWS)) if columns.label else ())
    return FileSource(table, reader)


def _require_kind(kind: str, path: Path) -> None:
    endings = "".join(path.suffixes[-2:]).lower(), path.suffix.lower()
    actual = next(
        (each for each, kind_endings in KINDS.items() if any(ending in kind_endings for ending in endings)), kind
    )
    if actual != kind:
        raise InvalidInput(
            f"{path.name} is not a {kind} file by its ending: its kind is {actual}, as in undertone ingest {actual}",
            "file",
        )


def _digest(row: Row) -> str:
    return hashlib.blake2b(json_line(row.values), digest_size=8).hexdigest()
