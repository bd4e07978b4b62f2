"""What a table is: rows, and columns of a kind."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from sentiment.errors import InvalidInput
from sentiment.tables.arrow_cells import ArrowCell
from sentiment.validation_messages import shown

STRING, INTEGER, NUMBER, BOOLEAN, JSON = "string", "integer", "number", "boolean", "json"
#: The kind of a column of a CSV file, where nothing tells texts from numbers.
UNTYPED: Final = "untyped"
#: Longest cell or line that is read; beyond it a quote was left open, or this is no table.
LONGEST_CELL_CHARACTERS: Final = 16 * 2**20
_SHOWN_COLUMNS: Final = 20
_SHOWN_CHARACTERS: Final = 60

Kind = Any  #: one of the names above, or the pyarrow type of a Parquet column


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `number` counts from 1 without the header; in a workbook it is the sheet's own.

    With a `problem`, `values` holds what could be read.
    """

    number: int
    values: dict[str, Any]
    problem: str | None = None


class TextCells:
    """How the cells of a column of texts are read: as they are; a format that writes texts otherwise has its own."""

    def kind(self, kind: Kind) -> Kind:
        """Return the kind of a column, of what kind it was, once its cells are texts."""
        return STRING if kind == UNTYPED else kind

    def read(self, value: Any) -> tuple[Any, str | None]:
        """Return a cell as a text if it is one, else as it is; and what is wrong with it."""
        return value, None


_AS_THEY_ARE: Final = TextCells()


@dataclass(frozen=True)
class Table:
    """A file that has been looked through once: its columns with their kinds, and how many rows it has.

    `description` says in words how it was read, where there was something to choose; `repeated` are the names that
    more than one column has where that is no matter of numbering them.
    """

    path: Path
    columns: dict[str, Kind]
    row_count: int
    _read: Callable[[], Iterator[Row]]
    description: str = ""
    text_cells: TextCells = _AS_THEY_ARE
    repeated: frozenset[str] = frozenset()

    def __iter__(self) -> Iterator[Row]:
        return self._read()

    def require(self, column: str) -> None:
        """Raise InvalidInput, naming the columns there are, unless `column` is one of them."""
        if column not in self.columns:
            self.require_a_row()
            raise InvalidInput(
                f"{self.path.name} has no column {column!r}. Its columns are: {self.column_names}.", "text_column"
            )

    def require_a_row(self) -> None:
        """Raise InvalidInput with what is wrong with the first row where none can be read and there is no column."""
        problems = () if self.columns else (f"Row {row.number} {row.problem}" for row in self if row.problem)
        if problem := next(iter(problems), None):
            raise InvalidInput(f"{self.path.name} has no row that can be read. {problem}.", "file")

    def with_texts(self, *names: str) -> Table:
        """Return the table with the columns `names` as ones of texts; a cell that cannot be one spoils its row.

        Raises:
            InvalidInput: a name stands twice in the file.
        """
        if twice := [name for name in names if name in self.repeated]:
            raise InvalidInput(
                f"{self.path.name} has more than one column {twice[0]!r}: rename one, to tell which to read.",
                "text_column",
            )
        kinds = {name: self.text_cells.kind(kind) for name, kind in self.columns.items() if name in names}
        return replace(
            self,
            columns=self.columns | kinds,
            _read=lambda: (_row_with_texts(row, names, self.text_cells) for row in self),
        )

    @property
    def column_names(self) -> str:
        """The names of the columns as a message shows them: the first ones, long ones cut."""
        names = [repr(_cut(name)) for name in list(self.columns)[:_SHOWN_COLUMNS]]
        more = len(self.columns) - _SHOWN_COLUMNS
        return (", ".join(names) or "none") + (f" and {more} more" if more > 0 else "")


def _row_with_texts(row: Row, names: Sequence[str], cells: TextCells) -> Row:
    read = {name: cells.read(row.values[name]) for name in names if name in row.values}
    problems = [f"{name!r} {problem}" for name, (_, problem) in read.items() if problem]
    values = row.values | {name: value for name, (value, _) in read.items()}
    return Row(row.number, values, row.problem or "; ".join(problems) or None)


def text_problem(value: Any, column: str) -> str | None:
    """Say why a cell is no text, as it must be in a column of texts; None if it is one, or empty."""
    if isinstance(value, str) or is_missing(value):
        return None
    return f"{column!r} holds {shown(plain(value))}, not text"


def is_missing(value: Any) -> bool:
    """Return whether a cell is empty: null, or NaN, which pandas writes for one."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _cut(name: str) -> str:
    return name if len(name) <= _SHOWN_CHARACTERS else name[: _SHOWN_CHARACTERS - 1] + "…"


def cell_of(value: Any) -> str | int | float | None:
    """Return a value as a cell: nested ones and truth values as JSON, times in ISO 8601, bytes in hex."""
    value = plain(value)
    if isinstance(value, (dict, list, bool)):
        return json_text(value)
    return value if value is None or isinstance(value, (str, int, float)) else as_text(value)


def plain(value: Any) -> Any:
    """Return the Python value of a cell of a Parquet file; other values as they are."""
    return value.plain() if isinstance(value, ArrowCell) else value


def json_text(value: Any) -> str:
    """Return a value as JSON, every digit of its numbers included; what JSON does not know becomes text."""
    try:
        return json.dumps(value, ensure_ascii=False, default=_unless_exact)
    except _ExactNumber:  # the encoder knows floats only
        return _exact_json(value)


class _ExactNumber(Exception):
    """A number was met that no float is equal to."""


def _unless_exact(value: Any) -> Any:
    if isinstance(value, Decimal):
        raise _ExactNumber
    value = plain(value)
    return value if isinstance(value, (dict, list, str, int, float, type(None))) else as_text(value)


def _exact_json(value: Any) -> str:
    value = plain(value)
    if isinstance(value, dict):
        pairs = (f"{json.dumps(str(name), ensure_ascii=False)}: {_exact_json(each)}" for name, each in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_exact_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False, default=_unless_exact)


def as_text(value: Any) -> str:
    """Return a value that neither JSON nor CSV knows as text."""
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, (dt.date, dt.time)) else str(value)


def distinct(names: list[str]) -> list[str]:
    """Return the names with empty ones filled and repeated ones numbered, since no column may be lost."""
    used_names: list[str] = []
    for place, name in enumerate(names, 1):
        stem = name or f"column_{place}"
        used_names.append(next(f for f in _numbered(stem) if f not in used_names and (f == stem or f not in names)))
    return used_names


def _numbered(stem: str) -> Iterator[str]:
    yield stem
    yield from (f"{stem}_{count}" for count in range(2, 1_000_000))
