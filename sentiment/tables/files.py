"""Open and write a table, whatever its format."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from sentiment.errors import InvalidInput
from sentiment.tables.csv_files import open_csv, write_csv, write_tsv
from sentiment.tables.encoding import explained
from sentiment.tables.json_lines import open_jsonl, write_jsonl
from sentiment.tables.parquet_files import open_parquet, write_parquet
from sentiment.tables.table import Kind, Table

_Write = Callable[[IO[bytes], Mapping[str, Kind], Iterable[Mapping[str, Any]]], None]
_WRITERS: Final[dict[str, _Write]] = {
    ".csv": write_csv,
    ".tsv": write_tsv,
    ".jsonl": write_jsonl,
    ".ndjson": write_jsonl,
    ".parquet": write_parquet,
}
ENDINGS: Final = tuple(_WRITERS)


def ending_of(path: Path) -> str:
    """Return the ending that tells a table's format, or raise InvalidInput that lists the ones known."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise InvalidInput(
            f"{path.name or path}: the ending tells the format; it must be one of {', '.join(ENDINGS)}.", "file"
        )
    return ending


def is_table(name: str) -> bool:
    """Return whether a file of this name, in a folder that is read, is a table."""
    return Path(name).suffix.lower() in ENDINGS


def open_table(
    path: Path,
    encoding: str = "utf-8",
    columns: Sequence[str] | None = None,
    *,
    encoding_option: str | None = "--encoding",
) -> Table:
    """Look a file through and return it as a table that can be iterated any number of times.

    `columns` names the columns of a CSV file that has no header; its first line is then a row. `encoding_option` is
    what the caller offers for naming another encoding, None if nothing.

    Raises:
        InvalidInput: no such file, empty, unknown ending, not in `encoding`, or not Parquet inside.
    """
    ending = ending_of(path)
    if not path.is_file():
        raise InvalidInput(f"There is no file {path}.", "file")
    if path.stat().st_size == 0:
        raise InvalidInput(f"{path.name} is empty.", "file")
    if columns and ending not in (".csv", ".tsv"):
        raise InvalidInput(f"{path.name} names its columns itself: leave out --columns.", "columns")
    if ending == ".parquet":
        return open_parquet(path)
    with explained(path, encoding, encoding_option):
        return open_csv(path, encoding, columns) if ending in (".csv", ".tsv") else open_jsonl(path, encoding)


def write_table(path: Path, columns: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write `rows` to `path` in the format of its ending; the file appears whole or not at all.

    Columns that a row lacks are empty; values under other names than `columns` are not written.
    """
    write = _WRITERS[ending_of(path)]
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.draft")
    try:
        with draft.open("xb") as file:
            write(file, columns, rows)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
