"""CSV and TSV: read row by row, a bad row by itself.

A quote that is left open, or closed in the middle of a cell, spoils the row of the line that it opened in and no other:
reading goes on with the next line.
"""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final

from sentiment.errors import InvalidInput
from sentiment.tables.dialect import NEVER_IN_TEXTS, Dialect, enclosed_cells, find_dialect, split_line
from sentiment.tables.encoding import open_text
from sentiment.tables.formulas import escaped, is_escaped, is_result, unescaped
from sentiment.tables.table import LONGEST_CELL_CHARACTERS, UNTYPED, Kind, Row, Table, cell_of, distinct, plain
from sentiment.tables.text_format import TextFormat

_Opened = Callable[[str], IO[str]]  #: opens the file anew, given how its lines end
_MARK: Final = "\ufeff"
_LEFT_OPEN: Final = (
    "a quote is left open there, or stands undoubled within a quoted cell; quoting 'none' reads quotes as characters"
)
_MAY_SPAN: Final = "; if quotes enclose line breaks or delimiters in this file, read it with quoting 'all'"
_BARE_RETURN: Final = "it holds a carriage return that ends no line"
_TOO_LONG: Final = f"it is longer than {LONGEST_CELL_CHARACTERS:,} characters"


@dataclass(frozen=True, slots=True)
class _Record:
    """The cells of one row, or what is wrong with it, and the lines that it stands in."""

    first_line: int
    last_line: int
    cells: list[str]
    problem: str | None = None

    @property
    def where(self) -> str:
        """Its line, or its lines."""
        first, last = self.first_line, self.last_line
        return f"line {first}" if first == last else f"lines {first} to {last}"


def open_csv(path: Path, form: TextFormat, *, is_tsv: bool = False) -> Table:
    """Look a CSV file through: how it is written, its header, the number of its rows, and that all of it is decodable.

    With `form.columns` it has no header, and the first line is a row.

    Raises:
        InvalidInput: there is no line in it, or its header cannot be read.
        UnicodeError, LookupError: it is not in the encoding, or there is no such encoding.
    """
    csv.field_size_limit(LONGEST_CELL_CHARACTERS)

    def opened(newline: str) -> IO[str]:
        return open_text(path, form.encoding, newline)

    dialect = find_dialect(opened, form, is_tsv=is_tsv)
    spans = form.columns is None and _is_result(opened, dialect)
    if form.quoting == "auto" and (spans or (not is_tsv and _spans_after_all(opened, dialect))):
        dialect = _spanning(dialect)
    names = list(form.columns or _header(path, opened, dialect))
    is_ours = form.columns is None and is_escaped(names)
    columns = distinct([unescaped(name) for name in names] if is_ours else names)

    def read() -> Iterator[Row]:
        with opened(dialect.newline) as file:
            facts = {"has_header": form.columns is None, "is_ours": is_ours, "spans": dialect.spans}
            yield from _rows(_records(file, dialect), columns, **facts)

    return Table(path, dict.fromkeys(columns, UNTYPED), sum(1 for _ in read()), read, dialect.description)


def _is_result(opened: _Opened, dialect: Dialect) -> bool:
    """Return whether a file was written by `write_csv` as a result, which puts line breaks in quotes in a .tsv, too."""
    header = _first_record(opened, _spanning(dialect))
    return header is not None and header.problem is None and is_result(header.cells)


def _spans_after_all(opened: _Opened, dialect: Dialect) -> bool:
    """Return whether the rows of a file fit its header only if quotes enclose line breaks; a .tsv is read by lines."""
    return not dialect.encloses and not _fits(opened, dialect) and _fits(opened, _spanning(dialect))


def _fits(opened: _Opened, dialect: Dialect) -> bool:
    with opened(dialect.newline) as file:
        records = _records(file, dialect)
        width = len(next(records, _Record(0, 0, [])).cells)
        return all(record.problem is None and len(record.cells) == width for record in records)


def _spanning(dialect: Dialect) -> Dialect:
    return replace(dialect, encloses=True, spans=True)


def _first_record(opened: _Opened, dialect: Dialect) -> _Record | None:
    with opened(dialect.newline) as file:
        return next(_records(file, dialect), None)


def _header(path: Path, opened: _Opened, dialect: Dialect) -> list[str]:
    header = _first_record(opened, dialect)
    if header is None:
        raise InvalidInput(f"{path.name} holds no line but blank ones.", "file")
    if header.problem:
        raise InvalidInput(f"{path.name}: the header cannot be read ({header.where}): {header.problem}.", "file")
    return [name.strip() for name in header.cells]


def _rows(
    records: Iterator[_Record], columns: list[str], *, has_header: bool, is_ours: bool, spans: bool
) -> Iterator[Row]:
    if has_header:
        next(records, None)
    for number, record in enumerate(records, 1):
        yield _row(number, record, columns, is_ours=is_ours, spans=spans)


def _row(number: int, record: _Record, columns: list[str], *, is_ours: bool, spans: bool) -> Row:
    cells = [unescaped(cell) for cell in record.cells] if is_ours else record.cells
    values: dict[str, Any] = dict(zip(columns, cells, strict=False))
    if record.problem:
        return Row(number, values, f"cannot be read ({record.where}): {record.problem}")
    if len(cells) == len(columns):
        return Row(number, values)
    values |= {f"cell {place}": cell for place, cell in enumerate(cells[len(columns) :], len(columns) + 1)}
    hint = _MAY_SPAN if any('"' in cell for cell in cells) and not spans else ""
    return Row(number, values, f"has {_cells(len(cells))}, the header has {len(columns)} ({record.where}){hint}")


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


class _Lines:
    """The lines of a file with their numbers; those of the record that is being read can be taken back."""

    def __init__(self, file: IO[str], skipped: int) -> None:
        self._file = file
        self._record: list[str] = []
        self._returned: deque[str] = deque()
        self.number = 0
        for _ in range(skipped):
            self._next()
        self.begin()
        self.is_cut = False

    def begin(self) -> None:
        """Begin a new record."""
        self._record = []

    def take_back(self) -> str:
        """Take back all lines of the record but the first, and return that one."""
        first, *others = self._record
        self._returned.extendleft(reversed(others))
        self.number -= len(others)
        self._record = []
        return first

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._next()
        if not line:
            raise StopIteration
        self._record.append(line)
        return line

    def _next(self) -> str:
        is_returned = bool(self._returned)
        line = self._returned.popleft() if is_returned else self._file.readline(LONGEST_CELL_CHARACTERS)
        if line:
            self.number += 1
            line = line.removeprefix(_MARK) if self.number == 1 else line
        self.is_cut = _is_cut(line)
        if self.is_cut and not is_returned:
            self._skip_rest()
        return line

    def _skip_rest(self) -> None:
        while _is_cut(self._file.readline(LONGEST_CELL_CHARACTERS)):
            pass


def _is_cut(line: str) -> bool:
    """Return whether a line is longer than what was read of it."""
    return len(line) >= LONGEST_CELL_CHARACTERS and not line.endswith(("\n", "\r"))


def _records(file: IO[str], dialect: Dialect) -> Iterator[_Record]:
    """Yield the rows of a file, its header first; blank lines are none."""
    lines = _Lines(file, dialect.skipped)
    return _spanning_records(lines, dialect.delimiter) if dialect.spans else _line_records(lines, dialect)


def _line_records(lines: _Lines, dialect: Dialect) -> Iterator[_Record]:
    """Yield a row a line."""
    for line in lines:
        lines.begin()
        if _is_blank(line, dialect.delimiter):
            continue
        cells = split_line(line, dialect.delimiter)
        if dialect.encloses:
            cells = enclosed_cells(line, dialect.delimiter) or cells
        problem = _TOO_LONG if lines.is_cut else _BARE_RETURN if "\r" in line.rstrip("\r\n") else None
        yield _Record(lines.number, lines.number, cells, problem)


def _is_blank(line: str, delimiter: str) -> bool:
    """Return whether a line holds nothing, or blanks where a row has more cells than one."""
    return not line.strip("\r\n") or (bool(delimiter) and delimiter not in line and line.isspace())


def _spanning_records(lines: _Lines, delimiter: str) -> Iterator[_Record]:
    """Yield rows whose quoted cells may hold delimiters and line breaks."""
    reader = _reader(lines, delimiter)
    while True:
        lines.begin()
        first = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            line = lines.take_back()
            yield _Record(first, first, split_line(line, delimiter), _problem(exc, line))
            reader = _reader(lines, delimiter)
            continue
        if cells and not (len(cells) == 1 and _is_blank(cells[0] or "-", delimiter)):
            yield _Record(first, lines.number, cells, _TOO_LONG if lines.is_cut else None)


def _reader(lines: _Lines, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(lines, delimiter=delimiter or NEVER_IN_TEXTS, strict=True)


def _problem(exc: csv.Error, line: str) -> str:
    if _is_cut(line):
        return _TOO_LONG
    return _BARE_RETURN if "new-line character" in str(exc) else _LEFT_OPEN


def write_csv(
    file: IO[bytes], columns: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]], delimiter: str = ","
) -> None:
    """Write a header and the rows in UTF-8; lone surrogates become question marks.

    Texts that a spreadsheet would take for formulas are escaped where the columns are our own (`is_escaped`).
    """
    writer = csv.writer(_LineFeeds(codecs.getwriter("utf-8")(file, "replace")), delimiter=delimiter)
    is_ours = is_escaped(list(columns))
    writer.writerow([escaped(name) if is_ours else name for name in columns])
    cell = _result_cell if is_ours else _plain_cell
    for row in rows:
        writer.writerow([cell(row.get(name), kind) for name, kind in columns.items()])


def _plain_cell(value: Any, kind: Kind) -> Any:  # noqa: ARG001 - as _result_cell
    return cell_of(value)


def _result_cell(value: Any, kind: Kind) -> Any:
    """Return a cell that is no formula; what looks like a number in an untyped column may be one."""
    value_ = plain(value)
    return escaped(cell_of(value_), keep_numbers=kind == UNTYPED or isinstance(value_, Decimal))


class _LineFeeds:
    """Ends rows in a line feed; the writer does not know, so that it puts carriage returns in quotes, too."""

    def __init__(self, file: codecs.StreamWriter) -> None:
        self._file = file

    def write(self, row: str) -> None:
        """Write a row that ends in \\r\\n."""
        self._file.write(row.removesuffix("\r\n") + "\n")


def write_tsv(file: IO[bytes], columns: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the rows with tabs between the cells."""
    write_csv(file, columns, rows, delimiter="\t")
