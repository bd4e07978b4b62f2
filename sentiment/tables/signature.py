"""What a file is by its first bytes, and what to do with one that is no table, or another than its name says."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sentiment.errors import InvalidInput

PARQUET, GZIP, EXCEL, ZIP = "Parquet", "gzip", "an Excel workbook", "a zip archive"
WEB_PAGE: Final = "a web page or XML"
_LOOKED_AT_BYTES: Final = 64
_WEB_PAGE_STARTS: Final = (b"<!doctype html", b"<html", b"<?xml")
_ZIP_STARTS: Final = (b"PK\x03\x04", b"PK\x05\x06")
_WORKBOOK: Final = "xl/workbook"
_SHOWN_NAMES: Final = 3
_SAVE: Final = "open it where it was made and save it as CSV in UTF-8"
#: What is no table, by its first bytes: what it is, and what to do.
_STRANGERS: Final[Mapping[bytes, tuple[str, str]]] = {
    b"\xd0\xcf\x11\xe0": ("an old or password-protected Office file", "save it as .xlsx without a password, or as CSV"),
    b"\x00\x05\x16\x07": ("what macOS notes beside a file (._name)", "give the file itself"),
    b"ARROW1\0": ("Arrow IPC (Feather)", "write it as Parquet"),
    b"Obj\x01": ("Avro", "write it as Parquet or JSON Lines"),
    b"SQLite format 3\0": ("an SQLite database", "export its table as CSV"),
    b"%PDF-": ("a PDF", "export its table as CSV"),
    b"BZh91AY&SY": ("bzip2", "unpack it (bunzip2)"),
    b"\xfd7zXZ\0": ("xz", "unpack it (unxz)"),
    b"\x28\xb5\x2f\xfd": ("Zstandard", "unpack it (unzstd)"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "unpack it and give the table in it"),
    b"{\\rtf": ("a document", "export its table as CSV"),
    b"\x89PNG": ("a picture", "give a table"),
    b"\xff\xd8\xff": ("a picture", "give a table"),
    b"GIF8": ("a picture", "give a table"),
    b"Rar!\x1a": ("a rar archive", "unpack it and give the table in it"),
}
#: What a file with an ending that tells no table may be.
_BY_ENDING: Final[Mapping[str, str]] = {
    ".xls": f"{_SAVE}, or as .xlsx",
    ".xlsm": "save it as .xlsx without macros",
    ".ods": f"{_SAVE}, or as .xlsx",
    ".json": "write an object a line and name it .jsonl (jq -c '.[]' in.json > out.jsonl)",
    ".txt": "name it .csv, or .tsv where tabs part its cells or each line is one text under a header",
    ".tar": "unpack it and give the table in it",
    ".pkl": "write it as Parquet: a pickle can run anything and is never opened",
}


def content_of(path: Path) -> str:
    """Return what a file is by its first bytes: PARQUET, GZIP, EXCEL, ZIP or another's name; empty for text.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(_LOOKED_AT_BYTES)
    if start.startswith(_ZIP_STARTS):
        return EXCEL if any(name.startswith(_WORKBOOK) for name in _names(path)) else ZIP
    if start.startswith(b"PAR1") and _is_binary(start[:16]):  # and no header such as "PAR1,text"
        return PARQUET
    if start.startswith(b"\x1f\x8b"):
        return GZIP
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_WEB_PAGE_STARTS):
        return WEB_PAGE
    return next((what for mark, (what, _) in _STRANGERS.items() if start.startswith(mark)), "")


def require_content(path: Path, ending: str | None) -> None:
    """Refuse a file whose content is not what its ending says; `ending` None is one that tells no table.

    Raises:
        InvalidInput: it is something else; the message says what, and what to do.
    """
    content, expected = content_of(path), _wanted(ending)
    if ending is not None and content == expected:
        return
    if content:
        raise InvalidInput(f"{path.name} is {content} by its first bytes: {_advice(path, content)}.", "file")
    if ending is not None:
        what = f"cannot be read as {expected}" if expected == PARQUET else f"is not {expected}"
        raise InvalidInput(f"{path.name} {what} by its first bytes: is it text, or cut off? {_rename(path)}.", "file")


def _is_binary(start: bytes) -> bool:
    return any(byte < 9 or 13 < byte < 32 for byte in start)


def ending_advice(path: Path) -> str:
    """Return what to do with a file whose ending tells no table; empty if there is nothing special to say."""
    return _BY_ENDING.get(path.suffix.lower(), "")


def _wanted(ending: str | None) -> str:
    if ending is None or not ending.endswith((".gz", ".parquet", ".xlsx")):
        return ""
    return {".parquet": PARQUET, ".xlsx": EXCEL}.get(ending, GZIP)


def _advice(path: Path, content: str) -> str:
    stem = path.name.removesuffix(path.suffix) or path.name
    if content == GZIP:
        return _gzip_advice(path, stem)
    if content == ZIP:
        return f"unpack it and give the table in it{_listed(path)}" if _names(path) else "it is cut off; fetch it anew"
    by_content = {
        PARQUET: f"name it {stem}.parquet",
        EXCEL: f"name it {stem}.xlsx, or save it as CSV in UTF-8",
        WEB_PAGE: "open it to see what came in the place of a table, and save the table as CSV",
    }
    return by_content.get(content) or next(advice for what, advice in _STRANGERS.values() if what == content)


def _gzip_advice(path: Path, stem: str) -> str:
    if path.name.lower().endswith((".tar.gz", ".tgz")):
        return "unpack it (tar xzf) and give the table in it"
    is_text = path.suffix.lower() in (".csv", ".tsv", ".jsonl", ".ndjson")
    return f"unpack it (gunzip), or name it by what is in it, as {path.name if is_text else f'{stem}.csv'}.gz"


def _rename(path: Path) -> str:
    return f"If it is text, name it {path.name.split('.')[0] or 'in'}.csv"


def _names(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


def _listed(path: Path) -> str:
    names = [name for name in _names(path) if not name.startswith("__MACOSX") and not name.endswith("/")]
    more = " …" if len(names) > _SHOWN_NAMES else ""
    return f" ({', '.join(names[:_SHOWN_NAMES])}{more})" if names else ""
