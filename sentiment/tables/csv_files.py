"""CSV: comma, semicolon or tab, told by the header; quoted line breaks, ragged rows and NULs are borne."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from sentiment.errors import InvalidInput
from sentiment.tables.encoding import open_text
from sentiment.tables.table import LONGEST_CELL_CHARACTERS, STRING, Kind, Row, Table, cell_of, distinct

_LONGEST_HEADER_CHARACTERS: Final = 2**20


def open_csv(path: Path, encoding: str, columns: Sequence[str] | None = None) -> Table:
    """Look a CSV file through: its header, the number of its rows, and that all of it is in `encoding`.

    With `columns` it has no header, and the first line is a row.
    """
    csv.field_size_limit(LONGEST_CELL_CHARACTERS)
    with open_text(path, encoding) as file:
        delimiter = _delimiter_of(file.readline(_LONGEST_HEADER_CHARACTERS), columns)
    names = distinct(list(columns)) if columns else _csv_header(path, encoding, delimiter)

    def read() -> Iterator[Row]:
        return _csv_rows(path, encoding, delimiter, names, has_header=not columns)

    return Table(path, dict.fromkeys(names, STRING), sum(1 for _ in read()), read)


def _csv_header(path: Path, encoding: str, delimiter: str) -> list[str]:
    with open_text(path, encoding) as file:
        try:
            header = next(csv.reader(file, delimiter=delimiter), [])
        except csv.Error as exc:
            raise InvalidInput(f"{path.name}: the first line cannot be read: {exc}.", "file") from exc
    return distinct([name.strip() for name in header])


def _csv_rows(path: Path, encoding: str, delimiter: str, columns: list[str], *, has_header: bool) -> Iterator[Row]:
    with open_text(path, encoding) as file:
        quotes = _QuoteCount(file)
        lines = csv.reader(quotes, delimiter=delimiter)
        if has_header:
            next(lines)
        number, line = 0, lines.line_num
        while (cells := _next_cells(lines)) is not None:
            where = _lines(line + 1, lines.line_num)
            is_open = quotes.are_open()
            if cells:
                number += 1
                yield _csv_row(number, csv.Error("it ends with the file") if is_open else cells, columns, where)
            line = lines.line_num


class _QuoteCount:
    """The lines of a file, counting quotes. A row that took the file's last lines and an odd number of them is open."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._quotes, self._ended = 0, False

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(4 * LONGEST_CELL_CHARACTERS):
            self._quotes += line.count('"')
            yield line
        self._ended = True

    def are_open(self) -> bool:
        """Return whether the row that was just read never closed its quote."""
        odd, self._quotes = self._quotes % 2 == 1, 0
        return odd and self._ended


def _next_cells(lines: Iterator[list[str]]) -> list[str] | csv.Error | None:
    try:
        return next(lines, None)
    except csv.Error as exc:
        return exc


def _csv_row(number: int, cells: list[str] | csv.Error, columns: list[str], where: str) -> Row:
    if isinstance(cells, csv.Error):
        return Row(number, {}, f"cannot be read ({where}: {cells}), perhaps because a quote is left open")
    values: dict[str, Any] = dict(zip(columns, cells, strict=False))
    if len(cells) == len(columns):
        return Row(number, values)
    values |= {f"cell {place}": cell for place, cell in enumerate(cells[len(columns) :], len(columns) + 1)}
    return Row(number, values, f"has {_cells(len(cells))}, the header has {len(columns)} ({where})")


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def _lines(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first} to {last}"


def _delimiter_of(line: str, columns: Sequence[str] | None) -> str:
    if columns is None:
        return max(",;\t", key=line.count)
    return min(",;\t", key=lambda each: abs(len(next(csv.reader([line], delimiter=each), [])) - len(columns)))


def write_csv(
    file: IO[bytes], columns: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]], delimiter: str = ","
) -> None:
    """Write a header and the rows in UTF-8; lone surrogates become question marks."""
    writer = csv.writer(codecs.getwriter("utf-8")(file, "replace"), lineterminator="\n", delimiter=delimiter)
    writer.writerow(columns)
    writer.writerows([cell_of(row.get(name)) for name in columns] for row in rows)


def write_tsv(file: IO[bytes], columns: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the rows with tabs between the cells."""
    write_csv(file, columns, rows, delimiter="\t")
