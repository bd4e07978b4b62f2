"""Excel workbooks (.xlsx), by openpyxl of the extra `excel`, which is imported when a workbook is met."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import warnings
import zipfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from sentiment.errors import InvalidInput
from sentiment.tables.kinds import ColumnKinds
from sentiment.tables.table import STRING, Kind, Row, Table, TextCells, distinct

#: Most bytes of an unpacked workbook: all of its texts are in memory at once.
_MOST_BYTES: Final = 2**30
_FORMULA, _ERROR = "f", "e"


@dataclass(frozen=True)
class _Sheet:
    """The sheet that is read: its name, whether it has formulas, how many others have cells."""

    name: str
    has_formulas: bool
    others: int

    @property
    def description(self) -> str:
        """Which sheet was read, in words."""
        return f"sheet {self.name!r}" + (f", the first of {self.others + 1} with cells" if self.others else "")


def open_xlsx(path: Path, most_bytes: int | None = None, needed: Collection[str] | None = None) -> Table:
    """Look a workbook through: the first sheet with cells, its header, and the kinds of its columns.

    `most_bytes` is how large it may be unpacked. A formula without a result spoils its row in the columns `needed`.

    Raises:
        InvalidInput: openpyxl is not installed, the workbook is damaged, too large, or has no cells.
    """
    _require_openpyxl(path)
    _require_size(path, min(most_bytes or _MOST_BYTES, _MOST_BYTES))
    with _explained(path):
        sheet = _sheet_of(path)
        _, header = next(_filled(path, sheet))
        columns = distinct(["" if name is None else str(name).strip() for name in _trimmed(header)])
        kinds, count = ColumnKinds(), 0
        kinds.add(dict.fromkeys(columns))
        for count, row in enumerate(_rows(path, sheet, columns, needed), 1):  # noqa: B007
            kinds.add({name: row.values[name] for name in columns})
    return Table(
        path, kinds.columns, count, lambda: _rows(path, sheet, columns, needed), sheet.description, _WrittenTexts()
    )


class _WrittenTexts(TextCells):
    """A spreadsheet makes numbers of texts that look like ones: they are read as they are written."""

    def kind(self, kind: Kind) -> Kind:  # noqa: ARG002 - as TextCells has it
        """Return STRING, whatever the cells were."""
        return STRING

    def read(self, value: Any) -> tuple[Any, str | None]:
        """Return a number or a truth value as it is written; an error of the spreadsheet is no text."""
        if isinstance(value, _Error):
            return str(value), f"holds {value}, an error of the spreadsheet, not text"
        if isinstance(value, bool):
            return str(value).upper(), None
        return (str(value) if isinstance(value, int | float) else value), None


def _require_openpyxl(path: Path) -> None:
    if find_spec("openpyxl") is None:
        raise InvalidInput(
            f"{path.name} is an Excel workbook, which openpyxl reads: pip install 'undertone[excel]', or save it as "
            "CSV in UTF-8.",
            "file",
        )


def _require_size(path: Path, most_bytes: int) -> None:
    with _explained(path), zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > most_bytes:
        raise InvalidInput(
            f"{path.name} is {size / 2**20:,.0f} MB unpacked, at most {most_bytes / 2**20:,.0f} are read: save it as "
            "CSV in UTF-8.",
            "file",
        )


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever a damaged workbook is met with into InvalidInput; openpyxl has no error of its own for that."""
    try:
        yield
    except InvalidInput:
        raise
    except Exception as exc:
        raise InvalidInput(
            f"{path.name} is damaged as an Excel workbook ({type(exc).__name__}: {exc}): save it anew, or as CSV.",
            "file",
        ) from exc


def _sheet_of(path: Path) -> _Sheet:
    """Find the first sheet that has cells; those that are hidden come last."""
    with _workbook(path, formulas=True) as book:
        sheets = sorted(book.worksheets, key=lambda sheet: sheet.sheet_state != "visible")
        filled = [sheet for sheet in sheets if any(_has_value(row) for row in sheet.iter_rows(values_only=True))]
        if not filled:
            raise InvalidInput(f"{path.name} has no cells: give a workbook with a header and rows.", "file")
        cells = itertools.chain.from_iterable(filled[0].iter_rows())
        return _Sheet(filled[0].title, any(cell.data_type == _FORMULA for cell in cells), len(filled) - 1)


@contextlib.contextmanager
def _workbook(path: Path, *, formulas: bool) -> Iterator[Any]:
    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles, which are not read
        book = openpyxl.load_workbook(path, read_only=True, data_only=not formulas, keep_links=False)
    try:
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # some programs write wrong ones, and rows would be cut
        yield book
    finally:
        book.close()


def _rows(path: Path, sheet: _Sheet, columns: Sequence[str], needed: Collection[str] | None) -> Iterator[Row]:
    filled = itertools.islice(_filled(path, sheet), 1, None)
    yield from (_row(number, cells, columns, needed) for number, cells in filled)


def _filled(path: Path, sheet: _Sheet) -> Iterator[tuple[int, Sequence[Any]]]:
    """Yield the rows that have a cell with their numbers in the sheet; what is no value is a `_Formula` or `_Error`."""
    with _explained(path), _workbook(path, formulas=False) as book:
        values = (list(map(_held, row)) for row in book[sheet.name].iter_rows())
        rows = _with_formulas(path, sheet, values) if sheet.has_formulas else values
        yield from ((number, row) for number, row in enumerate(rows, 1) if _has_value(row))


class _Formula(str):
    """A formula whose result the workbook does not hold."""

    __slots__ = ()


class _Error(str):
    """What a spreadsheet shows where it could not reckon: #N/A, #REF! and others."""

    __slots__ = ()


def _held(cell: Any) -> Any:
    return _Error(cell.value) if cell.data_type == _ERROR and cell.value is not None else cell.value


def _with_formulas(path: Path, sheet: _Sheet, values: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    with _workbook(path, formulas=True) as book:
        for row, cells in zip(values, book[sheet.name].iter_rows(), strict=True):
            yield [
                _Formula(cell.value) if value is None and cell.data_type == _FORMULA else value
                for value, cell in zip(row, cells, strict=True)
            ]


def _row(number: int, cells: Sequence[Any], columns: Sequence[str], needed: Collection[str] | None) -> Row:
    filled = _trimmed(cells)
    cells = [*map(_value, filled), *[None] * (len(columns) - len(filled))]
    values = dict(zip(columns, cells, strict=False))
    if len(cells) > len(columns):
        values |= {f"cell {place}": cell for place, cell in enumerate(cells[len(columns) :], len(columns) + 1)}
        return Row(number, values, f"has {len(cells)} cells, the header has {len(columns)}")
    unsaved = [name for name in needed or values if isinstance(values.get(name), _Formula)]
    if unsaved:
        return Row(number, values, f"has a formula without a saved result in {unsaved[0]!r}: save it in a spreadsheet")
    return Row(number, values)


def _trimmed(cells: Sequence[Any]) -> Sequence[Any]:
    """Return a row without the empty cells at its end."""
    return cells[: max((place for place, cell in enumerate(cells, 1) if cell is not None), default=0)]


def _has_value(row: Sequence[Any]) -> bool:
    return any(cell is not None for cell in row)


def _value(cell: Any) -> Any:
    """Return a cell's value; dates and times as text in ISO 8601, a date without hours where they are all zero."""
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat()
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return _span(cell) if isinstance(cell, dt.timedelta) else cell


def _span(span: dt.timedelta) -> str:
    """Return a duration as a spreadsheet writes it: hours beyond a day, minutes, seconds."""
    seconds, rest = divmod(abs(span), dt.timedelta(seconds=1))
    fraction = f".{rest.microseconds:06d}".rstrip("0") if rest else ""
    sign = "-" if span < dt.timedelta() else ""
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{fraction}"
