"""JSON Lines: an object a line. Numbers keep every digit that was written."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final

from sentiment.errors import InvalidInput
from sentiment.tables.encoding import open_text
from sentiment.tables.kinds import ColumnKinds
from sentiment.tables.table import LONGEST_CELL_CHARACTERS, Kind, Row, Table, json_text, plain

_SURE_CHARACTERS: Final = 16  # fifteen digits and a point: a float holds each such number
_MARK: Final = "\ufeff"
#: Levels of objects and arrays in each other; writing them takes a call a level.
_MOST_LEVELS: Final = 100
_TOO_DEEP: Final = f"nests objects and arrays more than {_MOST_LEVELS} deep"
#: An escape: a pair of surrogates, half of one, or another.
_HALF: Final = "u[dD][89a-fA-F][0-9a-fA-F]{2}"
_ESCAPE: Final = re.compile(
    rf"\\(?:u[dD][89abAB][0-9a-fA-F]{{2}}\\u[dD][c-fC-F][0-9a-fA-F]{{2}}|(?P<half>{_HALF})|.)", re.DOTALL
)


def open_jsonl(path: Path, encoding: str) -> Table:
    """Look a JSONL file through: the columns of all its rows in order of appearance, with the kinds of their values.

    Raises:
        InvalidInput: it is one JSON document, and no object a line.
    """
    _require_lines(path, encoding)
    kinds, count = ColumnKinds(), 0
    for count, row in enumerate(_jsonl_rows(path, encoding), 1):  # noqa: B007
        if row.problem is None:
            kinds.add(row.values)
    return Table(path, kinds.columns, count, lambda: _jsonl_rows(path, encoding))


def _require_lines(path: Path, encoding: str) -> None:
    with open_text(path, encoding) as file:
        first = next((line for line in _lines(file) if line.strip()), "").strip()
    if first.startswith("["):
        raise InvalidInput(
            f"{path.name} is a JSON array; it must have an object a line: jq -c '.[]' {path.name} > lines.jsonl.",
            "file",
        )
    if first == "{":
        raise InvalidInput(
            f"{path.name} has objects over several lines; it must have an object a line: "
            f"jq -c . {path.name} > lines.jsonl.",
            "file",
        )


def _lines(file: IO[str]) -> Iterator[str]:
    """Yield the lines, cut where they are longer than what is read; the rest of such a line is passed over."""
    begun = False
    while line := file.readline(LONGEST_CELL_CHARACTERS):
        was_cut, begun = begun, len(line) >= LONGEST_CELL_CHARACTERS and not line.endswith("\n")
        if not was_cut:
            yield line.removeprefix(_MARK)


def _jsonl_rows(path: Path, encoding: str) -> Iterator[Row]:
    with open_text(path, encoding) as file:
        lines = (line for line in _lines(file) if line.strip())
        yield from (jsonl_row(number, line) for number, line in enumerate(lines, 1))


def jsonl_row(number: int, line: str) -> Row:
    """Return a line as the row of its object; what is wrong with it is the row's problem."""
    if len(line) >= LONGEST_CELL_CHARACTERS:
        return Row(number, {}, f"is longer than {LONGEST_CELL_CHARACTERS:,} characters")
    line = line.rstrip("\r\n")
    values, problem = _parsed(line)
    return Row(number, {"line": line} if values is None else values, problem)


def _parsed(line: str) -> tuple[dict[str, Any] | None, str | None]:
    """Return the object that a line holds, or what is wrong with it."""
    try:
        values = json.loads(_whole(line), parse_float=_exact_number, object_pairs_hook=_once_each)
    except (_RepeatedKey, ArithmeticError, ValueError, RecursionError) as exc:
        return None, _problem(exc)
    if not isinstance(values, dict):
        return None, "is not a JSON object"
    return (None, _TOO_DEEP) if _is_deep(line, values) else (values, None)


def _problem(exc: Exception) -> str:
    match exc:
        case _RepeatedKey():
            return f"names {exc} more than once"
        case ArithmeticError():
            return "holds a number with an exponent beyond all bounds"
        case json.JSONDecodeError():
            return f"is not JSON: {exc.msg.removesuffix(' at')} at character {exc.pos + 1}"
        case RecursionError():
            return _TOO_DEEP
    return f"holds an integer of more than {sys.get_int_max_str_digits():,} digits"


def _whole(line: str) -> str:
    """Return a line of JSON with U+FFFD for each half of a surrogate pair, which no file of texts can hold."""
    if "\\u" not in line:
        return line
    return _ESCAPE.sub(lambda escape: r"\ufffd" if escape["half"] else escape[0], line)


def _is_deep(line: str, values: dict[str, Any]) -> bool:
    if line.count("{") + line.count("[") <= _MOST_LEVELS:
        return False
    level: list[Any] = [values]
    for _ in range(_MOST_LEVELS):
        level = [inner for each in level for inner in _inside(each)]
    return any(isinstance(each, dict | list) for each in level)


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


class _RepeatedKey(Exception):
    """An object has a key twice, so that one of the values would be lost."""


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise _RepeatedKey(repr(next(name for name in names if names.count(name) > 1)))
    return values


def _exact_number(written: str) -> float | Decimal:
    """Return a number with a point or an exponent: a float where that is the same number, else a Decimal."""
    number = float(written)
    if len(written) <= _SURE_CHARACTERS and "e" not in written.lower():
        return number
    exact = Decimal(written)
    return number if math.isfinite(number) and Decimal(repr(number)) == exact else exact


def write_jsonl(file: IO[bytes], columns: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write an object a row, without the columns that the row lacks."""
    for row in rows:
        file.write(json_line({name: row[name] for name in columns if name in row}))


def json_line(values: Mapping[str, Any]) -> bytes:
    """Return a line of JSON in UTF-8; what JSON does not know becomes text, NaN and infinity become null."""
    line = json_text({name: _json_value(plain(value)) for name, value in values.items()})
    try:
        return line.encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate
        return _ascii(line).encode() + b"\n"


def _ascii(line: str) -> str:
    """Escape what is beyond ASCII; in JSON it stands in strings only."""
    return "".join(char if char.isascii() else json.dumps(char)[1:-1] for char in line)


def _json_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _json_value(plain(each)) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_value(plain(each)) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
