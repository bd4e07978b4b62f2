"""Rows of GDELT's tab-separated tables: a class a table, a field a column, in the order of the columns."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, is_dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, NewType, TypeVar, cast, get_args, get_type_hints

from sentiment.validation_messages import shown

#: A time written as YYYYMMDDHHMMSS or YYYYMMDD, in milliseconds since 1970.
Moment = NewType("Moment", int)
_Row = TypeVar("_Row")
_INTEGER: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_MOMENT: Final = re.compile(r"\d{14}|\d{8}", re.ASCII)
#: Control characters, and what stands for bytes that are not UTF-8 once they are read so.
_UNFIT: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class BrokenRow(ValueError):
    """A row is not what its table's rows are; the message says what is wrong with it."""


def read_moment(cell: str) -> Moment:
    """Return a time in UTC, as GDELT writes it. Raises BrokenRow."""
    try:
        if not _MOMENT.fullmatch(cell):
            raise ValueError
        written = datetime.strptime(cell, "%Y%m%d%H%M%S" if len(cell) == 14 else "%Y%m%d")
    except ValueError:
        raise BrokenRow(f"holds {shown(cell)}, which is not a time like 20200318104500") from None
    return Moment(int(written.replace(tzinfo=UTC).timestamp()) * 1000)


def read_number(cell: str) -> float:
    """Return a finite number. Raises BrokenRow."""
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BrokenRow(f"holds {shown(cell)}, which is not a number")
    return number


def _integer(cell: str) -> int:
    if not _INTEGER.fullmatch(cell):
        raise BrokenRow(f"holds {shown(cell)}, which is not a whole number")
    return int(cell)


def _word(cell: str) -> str:
    return _UNFIT.sub("", cell)


_READERS: Final[dict[Any, Callable[[str], Any]]] = {
    str: _word,
    int: _integer,
    float: read_number,
    Moment: read_moment,
}


class RowFormat(Generic[_Row]):
    """Reads the rows of one table, of which `row` is the class: a field a column, or several for a class in it."""

    def __init__(self, row: type[_Row]) -> None:
        self._row = row
        self._fields = [_field_of(name, hint) for name, hint in get_type_hints(row).items()]
        self.width: int = sum(field.width for field in self._fields)

    def read(self, line: str) -> _Row:
        """Return a line as a row. Raises BrokenRow."""
        cells = line.split("\t")
        if len(cells) != self.width:
            raise BrokenRow(f"has {len(cells)} columns, not {self.width}")
        return self.take(iter(cells))

    def take(self, cells: Iterator[str]) -> _Row:
        """Return the next cells as a row, or as a part of one. Raises BrokenRow."""
        return self._row(*(field.take(cells) for field in self._fields))


@dataclass(frozen=True)
class _Field:
    """One field of a row, and how its cells are read."""

    name: str
    width: int
    read: Callable[[Iterator[str]], Any]

    def take(self, cells: Iterator[str]) -> Any:
        try:
            return self.read(cells)
        except BrokenRow as exc:
            raise BrokenRow(f"{self.name} {exc}") from None


def _field_of(name: str, hint: Any) -> _Field:
    """Return how a field is read; where its type allows None, an empty cell is that."""
    options = [option for option in get_args(hint) if option is not type(None)]
    kind = options[0] if options else hint
    if is_dataclass(kind):
        part = RowFormat[Any](cast("type[Any]", kind))
        return _Field(name, part.width, part.take)
    read = _READERS[kind]
    if options:
        return _Field(name, 1, lambda cells: read(cell) if (cell := next(cells)) else None)
    return _Field(name, 1, lambda cells: read(next(cells)))
