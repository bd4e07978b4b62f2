"""Texts that a spreadsheet would take for formulas are escaped in what we write, and read back as they were.

A text that begins with =, +, -, @, a tab or a line break gets an apostrophe in front; so does one that begins with
apostrophes and then one of these, so that reading, which takes one away, is exact. Numbers are left alone, those that a
CSV file holds beside its texts among them. Only a table that has the columns of a result, or those of OTHER_HEADERS in
their order, is written and read so: a tweet that begins with '@ in any other file stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

#: Columns that only results have; each may bear a prefix.
RESULT_COLUMNS: Final = ("p_negative", "p_neutral", "p_positive", "model_version")
#: What else is written so: the rows of a dataset version, and the leaks between two.
OTHER_HEADERS: Final = (
    ("text", "label", "source", "language"),
    ("kind", "row", "first_row", "overlap", "text", "first_text", "label", "first_label"),
)
#: The list of OWASP's page on CSV injection, with the full-width forms.
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_ESCAPED: Final = re.compile(r"'+[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER: Final = re.compile(r"[+-]?(\d[\d.,]*|[.,]\d+)([eE][+-]?\d+)?%?")


def is_result(columns: Sequence[str]) -> bool:
    """Return whether a table has the columns of a result."""
    return all(any(column.endswith(name) for column in columns) for name in RESULT_COLUMNS)


def is_escaped(columns: Sequence[str]) -> bool:
    """Return whether a table of these columns is one that we write, so that its texts are escaped."""
    return is_result(columns) or tuple(columns) in OTHER_HEADERS


def escaped(cell: Any, *, keep_numbers: bool = False) -> Any:
    """Return a cell as a result holds it: a text that would be a formula with one more apostrophe.

    With `keep_numbers` a text that is a number is left alone.
    """
    if not isinstance(cell, str) or not _FORMULA.match(cell):
        return cell
    return cell if keep_numbers and _NUMBER.fullmatch(cell) else f"'{cell}"


def unescaped(cell: str) -> str:
    """Return a cell of a result as it was before it was escaped."""
    return cell[1:] if _ESCAPED.match(cell) else cell
