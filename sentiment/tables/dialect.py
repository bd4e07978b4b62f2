"""Finds out how a CSV or TSV file is written: where its header is, what parts its cells, what quotes mean."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Final

from sentiment.tables.table import LONGEST_CELL_CHARACTERS
from sentiment.tables.text_format import ONE_COLUMN, TextFormat

#: In the order in which they are preferred where the lines speak for several.
_CANDIDATES: Final = ",;\t|"
_SAMPLE_CHARACTERS: Final = 2**18
_SAMPLE_LINES: Final = 64
_SEPARATOR_LINE: Final = re.compile(r'"?sep=([^"\r\n])"?', re.IGNORECASE)  # what spreadsheets put first
#: A cell that is enclosed in quotes, as far as that can be told before the delimiter is known.
_ENCLOSED: Final = re.compile(r'(?:(?<=[,;\t|])|^)"(?:[^"]|"")*"(?=[,;\t|\r\n]|\Z)', re.MULTILINE)
NEVER_IN_TEXTS: Final = "\uffff"  # a code point that stands for no character: the delimiter where there is none
_MARK: Final = "\ufeff"  # of an encoding that was named with its byte order, which leaves it in the text


_PLURALS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes", " ": "spaces"}


@dataclass(frozen=True)
class Dialect:
    """How a file is written. `skipped` lines stand before its header; `newline` is how its lines end, as `open` has it.

    `encloses`: a cell that begins with a quote is enclosed in quotes. Then `spans` tells whether it may hold line
    breaks and delimiters.
    """

    delimiter: str
    encloses: bool
    spans: bool
    skipped: int = 0
    newline: str = "\n"

    @property
    def description(self) -> str:
        """How the file was read, in words."""
        if self.delimiter == ONE_COLUMN:
            parts = "a line is one cell"
        else:
            parts = f"cells are parted by {_PLURALS.get(self.delimiter, repr(self.delimiter))}"
        return f"{parts}, {'quotes enclose cells' if self.encloses else 'quotes are plain characters'}"


def find_dialect(opened: Callable[[str], IO[str]], form: TextFormat, *, is_tsv: bool) -> Dialect:
    """Read the beginning of a file, and all of it where quotes have to be judged; `opened(newline)` opens it anew."""
    with opened("") as file:
        sample = file.read(_SAMPLE_CHARACTERS)
    newline = _newline_of(sample)
    lines = [line + newline for line in sample.split(newline)]
    skipped, separator = _before_header(lines)
    rest = "".join(lines[skipped:])
    delimiter = form.delimiter
    if delimiter is None:
        delimiter = "\t" if is_tsv else separator or _likely_delimiter(rest, form.columns)
    by_lines = delimiter == "\t"  # whose quotes are apt to be what people wrote, in a .csv, too
    spans = form.quoting == "all" or (form.quoting == "auto" and not by_lines)
    dialect = Dialect(delimiter, spans, spans, skipped, newline)
    if form.quoting == "auto" and by_lines:
        with opened(newline) as file:
            return Dialect(delimiter, _all_enclosed(file, dialect), False, skipped, newline)
    return dialect


def _newline_of(sample: str) -> str:
    """Return how lines end: a carriage return alone only where the first line ends so."""
    first = re.search(r"\r\n|\n|\r", _ENCLOSED.sub("", sample))
    return "\r" if first and first[0] == "\r" else "\n"


def _before_header(lines: Sequence[str]) -> tuple[int, str | None]:
    """Return how many lines come before the header, blank ones and `sep=;`, and the delimiter that this one names."""
    separator: str | None = None
    for place, line in enumerate(lines):
        plain = line.lstrip(_MARK)
        if separator is None and (match := _SEPARATOR_LINE.fullmatch(plain.rstrip("\r\n"))):
            separator = match[1]
        elif plain.strip() and not _holds_nothing(plain):
            return place, separator
    return len(lines), separator


def _holds_nothing(line: str) -> bool:
    """Return whether a line has delimiters and empty cells only, as spreadsheets write blank rows."""
    return not line.strip(f'{_CANDIDATES}" \r\n')


def _likely_delimiter(text: str, columns: Sequence[str] | None) -> str:
    """Return what parts the cells of the header, or of the first lines if `columns` are given, quoted cells aside."""
    first, *others = re.split(r"\r\n|\n|\r", _ENCLOSED.sub("", text))[:_SAMPLE_LINES]
    rows = [line for line in others if line]
    if columns is not None:
        return _by_count([first, *rows], len(columns) - 1)
    header = first
    there = [each for each in _CANDIDATES if each in header and not _is_prose(each, header, rows)]
    return max(there, key=lambda each: (_agreement(each, header.count(each), rows), header.count(each)), default="")


def _by_count(lines: Sequence[str], count: int) -> str:
    if count == 0:
        return ONE_COLUMN
    return max(_CANDIDATES, key=lambda each: (_agreement(each, count, lines), -abs(lines[0].count(each) - count)))


def _agreement(delimiter: str, count: int, lines: Sequence[str]) -> float:
    """Return which share of the lines have as many cells as they should."""
    return sum(line.count(delimiter) == count for line in lines) / max(len(lines), 1)


def _is_prose(delimiter: str, header: str, rows: Sequence[str]) -> bool:
    """Return whether a comma or the like belongs to the name of the only column: `Tweet, as sent`."""
    blank_behind = header.count(delimiter) == header.count(f"{delimiter} ")
    return blank_behind and bool(rows) and not any(delimiter in row for row in rows)


def _all_enclosed(file: IO[str], dialect: Dialect) -> bool:
    """Return whether every cell that begins with a quote is enclosed in quotes; lines are rows.

    Delimiters between quotes count as enclosed only where the line then has as many cells as the header.
    """
    lines = (line for place, line in enumerate(_lines(file)) if place >= dialect.skipped and line.strip("\r\n"))
    header = next(lines, "")
    width = len(enclosed_cells(header, dialect.delimiter) or ())
    return width > 0 and all(_is_enclosed(line, dialect.delimiter, width) for line in lines if '"' in line)


def _is_enclosed(line: str, delimiter: str, width: int) -> bool:
    cells = enclosed_cells(line, delimiter)
    return cells is not None and len(cells) in (len(split_line(line, delimiter)), width)


def _lines(file: IO[str]) -> Iterator[str]:
    return iter(lambda: file.readline(LONGEST_CELL_CHARACTERS), "")


def split_line(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line whose quotes enclose no delimiters."""
    plain = line.rstrip("\r\n")
    return plain.split(delimiter) if delimiter else [plain]


def enclosed_cells(line: str, delimiter: str) -> list[str] | None:
    """Return the cells of a line whose quotes may enclose cells, None where one is not closed as it should be."""
    try:
        return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter or NEVER_IN_TEXTS, strict=True), [])
    except csv.Error:
        return None
