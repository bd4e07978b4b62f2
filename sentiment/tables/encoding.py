"""Text files in a named encoding, and an error that says where and what to do when they are in another."""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from sentiment.errors import InvalidInput

_CHUNK_BYTES: Final = 2**20


def open_text(path: Path, encoding: str) -> IO[str]:
    """Open a text file without touching its line ends; the byte order mark of UTF-8 is skipped."""
    with_mark = codecs.lookup(encoding).name == "utf-8"
    return path.open(encoding="utf-8-sig" if with_mark else encoding, newline="")


@contextlib.contextmanager
def explained(path: Path, encoding: str, option: str | None) -> Iterator[None]:
    """Turn an unknown encoding, and bytes that are not in it, into InvalidInput that names the byte and the remedy."""
    try:
        yield
    except LookupError as exc:
        raise InvalidInput(f"{encoding!r} is not an encoding; try utf-8, cp1252, utf-16.", "encoding") from exc
    except UnicodeError as exc:
        raise InvalidInput(_encoding_problem(path, encoding, option), "encoding") from exc


def _encoding_problem(path: Path, encoding: str, option: str | None) -> str:
    with path.open("rb") as file:
        mark = file.read(2)
        likely = "utf-16" if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else _single_byte(encoding)
        file.seek(0)
        where = _first_bad_byte(file, encoding)
    remedy = "save it as UTF-8" + (f", or say {option} {likely}" if option else "")
    return f"{path.name} is not {encoding} {where}. It may be {likely}: {remedy}."


def _single_byte(tried: str) -> str:
    return "latin-1" if codecs.lookup(tried).name == "cp1252" else "cp1252"


def _first_bad_byte(file: IO[bytes], encoding: str) -> str:
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    while chunk := file.read(_CHUNK_BYTES):
        held = len(decoder.getstate()[0])
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as exc:
            byte = file.tell() - len(chunk) - held + exc.start
            line += exc.object[: exc.start].count(b"\n")
            return f"at byte {byte} (0x{exc.object[exc.start]:02x}), line {line}"
        line += chunk.count(b"\n")
    return "at its end, where a character is cut off"
