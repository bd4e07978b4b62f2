"""JSONL: an object a line. A column's kind is the narrowest that holds all its values."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from sentiment.tables.encoding import open_text
from sentiment.tables.table import (
    BOOLEAN,
    INTEGER,
    JSON,
    LONGEST_CELL_CHARACTERS,
    NUMBER,
    STRING,
    Kind,
    Row,
    Table,
    as_text,
)


def open_jsonl(path: Path, encoding: str) -> Table:
    """Look a JSONL file through: the columns of all its rows in order of appearance, with the kinds of their values."""
    kinds: dict[str, Kind] = {}
    count = 0
    for count, row in enumerate(_jsonl_rows(path, encoding), 1):  # noqa: B007
        if row.problem is None:
            kinds |= {name: _wider(kinds.get(name), _kind_of(value)) for name, value in row.values.items()}
    columns = {name: kind or STRING for name, kind in kinds.items()}
    return Table(path, columns, count, lambda: _jsonl_rows(path, encoding))


def _jsonl_rows(path: Path, encoding: str) -> Iterator[Row]:
    with open_text(path, encoding) as file:
        number = 0
        while line := file.readline(LONGEST_CELL_CHARACTERS):
            whole = line.endswith("\n") or len(line) < LONGEST_CELL_CHARACTERS
            while not (line.endswith("\n") or len(line) < LONGEST_CELL_CHARACTERS):
                line = file.readline(LONGEST_CELL_CHARACTERS)
            if line.strip():
                number += 1
                yield _jsonl_row(number, line) if whole else Row(number, {}, "the line is too long to be read")


def _jsonl_row(number: int, line: str) -> Row:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as exc:
        return Row(number, {"line": line.rstrip("\r\n")}, f"is not JSON: {exc}")
    if not isinstance(values, dict):
        return Row(number, {"line": line.rstrip("\r\n")}, "is not a JSON object")
    return Row(number, values)


def write_jsonl(file: IO[bytes], columns: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write an object a row, without the columns that the row lacks."""
    for row in rows:
        file.write(json_line({name: row[name] for name in columns if name in row}))


def json_line(values: Mapping[str, Any]) -> bytes:
    """Return a line of JSON in UTF-8; what JSON does not know becomes text, NaN becomes null."""
    plain = {name: _json_value(value) for name, value in values.items()}
    try:
        return json.dumps(plain, ensure_ascii=False, default=as_text).encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate
        return json.dumps(plain, default=as_text).encode() + b"\n"


def _json_value(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _kind_of(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return JSON
    return {bool: BOOLEAN, int: INTEGER, float: NUMBER, str: STRING}.get(type(value), JSON)


def _wider(one: str | None, other: str | None) -> str | None:
    if one is None or other is None or one == other:
        return one or other
    return NUMBER if {one, other} == {INTEGER, NUMBER} else JSON
