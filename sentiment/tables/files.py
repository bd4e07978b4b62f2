"""Open and write a table, whatever its format."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Final

from sentiment.errors import InvalidInput
from sentiment.tables.csv_files import open_csv, write_csv, write_tsv
from sentiment.tables.encoding import explained, open_bytes, require_encoding
from sentiment.tables.excel_files import open_xlsx
from sentiment.tables.json_lines import open_jsonl, write_jsonl
from sentiment.tables.parquet_files import open_parquet, write_parquet
from sentiment.tables.signature import ending_advice, require_content
from sentiment.tables.table import Kind, Row, Table
from sentiment.tables.text_format import AUTO, TextFormat, delimiter_of, quoting_of

_Write = Callable[[IO[bytes], Mapping[str, Kind], Iterable[Mapping[str, Any]]], None]
_WRITERS: Final[dict[str, _Write]] = {
    ".csv": write_csv,
    ".tsv": write_tsv,
    ".jsonl": write_jsonl,
    ".ndjson": write_jsonl,
    ".parquet": write_parquet,
}
#: Endings of the files that can be written.
WRITTEN_ENDINGS: Final = tuple(_WRITERS)
_TEXT_ENDINGS: Final = (".csv", ".tsv", ".jsonl", ".ndjson")
#: Endings of the files that can be read, some in two parts: compare with `str.endswith`.
ENDINGS: Final = (*WRITTEN_ENDINGS, ".xlsx", *(f"{ending}.gz" for ending in _TEXT_ENDINGS))
_CHUNK_BYTES: Final = 2**20


def ending_of(path: Path) -> str:
    """Return the ending that tells a written table's format, or raise InvalidInput that lists the ones known."""
    ending = path.suffix.lower()
    if ending not in WRITTEN_ENDINGS:
        raise InvalidInput(
            f"{path.name or path}: the ending tells the format; it must be one of {', '.join(WRITTEN_ENDINGS)}.", "file"
        )
    return ending


def is_table(name: str) -> bool:
    """Return whether a file of this name, in a folder that is read, is a table."""
    return _read_ending(Path(name)) is not None


def has_text_format(path: Path) -> bool:
    """Return whether a table is one whose delimiter and quotes can be told: CSV or TSV."""
    return (_read_ending(path) or "").startswith((".csv", ".tsv"))


def _read_ending(path: Path) -> str | None:
    ending = "".join(path.suffixes[-2:]).lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    return ending if ending in ENDINGS else None


def open_table(
    path: Path,
    encoding: str = "utf-8",
    columns: Sequence[str] | None = None,
    *,
    delimiter: str | None = None,
    quoting: str = AUTO,
    encoding_option: str | None = "--encoding",
    most_bytes: int | None = None,
    needed: Collection[str] | None = None,
) -> Table:
    """Look a file through and return it as a table that can be iterated any number of times.

    `columns` names the columns of a CSV file that has no header; its first line is then a row. `delimiter` is a
    character, the name of one, or "auto"; `quoting` "auto", "none" or "all" (see `TextFormat`). `encoding_option` is
    what the caller offers for naming another encoding, None if nothing. `most_bytes` bounds what a packed file holds.
    `needed` are the columns that the caller looks at, all if None: a bad cell of another spoils no row.

    Raises:
        InvalidInput: no such file, empty, unknown ending, not in `encoding`, something else inside than its ending
            says, or an option that does not fit it.
    """
    form = TextFormat(encoding, delimiter_of(delimiter), quoting_of(quoting), columns)
    ending = _require_table(path)
    _require_fitting(path, form)
    if ending == ".parquet":
        return open_parquet(path, needed)
    if ending == ".xlsx":
        return open_xlsx(path, most_bytes, needed)
    with explained(path, encoding, encoding_option):
        _require_unpacked(path, most_bytes)
        require_encoding(path, encoding, encoding_option)
        if has_text_format(path):
            table = open_csv(path, form, is_tsv=ending.startswith(".tsv"))
        else:
            table = open_jsonl(path, encoding)

    def read() -> Iterator[Row]:
        with explained(path, encoding, encoding_option):
            yield from table

    return replace(table, _read=read)


def _require_table(path: Path) -> str:
    """Return the ending by which a file is read. Raises InvalidInput for what is no table."""
    ending = _read_ending(path)
    try:
        is_file = path.is_file()
        if is_file:
            _require_filled(path, ending)
    except OSError as exc:
        raise InvalidInput(f"{path} cannot be read ({exc.strerror}).", "file") from exc
    if ending is not None and not is_file:
        raise InvalidInput(_no_file(path), "file")
    if ending is None:
        advice = ending_advice(path)
        raise InvalidInput(
            f"{path.name or path}: the ending tells the format; it must be one of {', '.join(ENDINGS)}"
            + (f" ({advice})." if advice else "."),
            "file",
        )
    return ending


def _no_file(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder: name a file in it."
    if path.exists():
        return f"{path} is a pipe, a socket or a device: write what comes out of it to a file, and give that."
    return f"There is no file {path}."


def _require_filled(path: Path, ending: str | None) -> None:
    if path.stat().st_size == 0:
        raise InvalidInput(f"{path.name} is empty.", "file")
    require_content(path, ending)


def _require_fitting(path: Path, form: TextFormat) -> None:
    if has_text_format(path):
        return
    if form.columns:
        raise InvalidInput(f"{path.name} names its columns itself: leave out --columns.", "columns")
    if form.is_told:
        option = "quoting" if form.delimiter is None else "delimiter"
        raise InvalidInput(f"{path.name} has no {option} to choose: that is for CSV and TSV files.", option)


def _require_unpacked(path: Path, most_bytes: int | None) -> None:
    """Refuse a packed file that is empty, or too large, inside."""
    if path.suffix.lower() != ".gz":
        return
    with open_bytes(path) as file:
        size = len(file.read(1))
        while most_bytes is not None and size <= most_bytes and (chunk := file.read(_CHUNK_BYTES)):
            size += len(chunk)
    if size == 0:
        raise InvalidInput(f"{path.name} is empty.", "file")
    if most_bytes is not None and size > most_bytes:
        raise InvalidInput(
            f"{path.name} is more than {most_bytes / 2**20:,.0f} MB unpacked; give a smaller file.", "file"
        )


def write_table(path: Path, columns: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write `rows` to `path` in the format of its ending; the file appears whole or not at all.

    Columns that a row lacks are empty; values under other names than `columns` are not written.

    Raises:
        InvalidInput: the ending is unknown, or the format cannot hold a column.
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


def rehearse_table(path: Path, columns: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a table to nowhere: what `write_table` could not write raises here, before there is work to lose.

    Raises:
        InvalidInput: as `write_table`.
    """
    with Path(os.devnull).open("wb") as file:
        _WRITERS[ending_of(path)](file, columns, rows)
