"""Text files in a named encoding, gzipped or not, and errors that say where they are in another and what to do."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, cast

from sentiment.errors import InvalidInput

_CHUNK_BYTES: Final = 2**20
_LOOKED_AT_BYTES: Final = 512
#: Byte order marks with the encoding that they vouch for; that of UTF-32 begins as UTF-16's does.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file, unpacked where its name ends in .gz."""
    if path.suffix.lower() == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")


def open_text(path: Path, encoding: str, newline: str = "") -> IO[str]:
    """Open a text file without touching its line ends; a byte order mark is believed rather than UTF-8, and skipped."""
    actual = encoding_of(path, encoding)
    return io.TextIOWrapper(open_bytes(path), encoding=actual, newline=newline)


def encoding_of(path: Path, encoding: str) -> str:
    """Return the encoding to read a file in: `encoding`, or what a byte order mark says where that is UTF-8.

    Raises:
        LookupError: there is no such text encoding.
    """
    name = _codec(encoding).name
    return _marked(path) or encoding if name in ("utf-8", "utf-8-sig") else encoding


def _codec(encoding: str) -> codecs.CodecInfo:
    try:
        codec = codecs.lookup(encoding)
    except ValueError as exc:  # a name with a NUL in it
        raise LookupError(str(exc)) from exc
    if not getattr(codec, "_is_text_encoding", True):
        raise LookupError(f"{encoding} is no encoding of texts")
    return codec


def _marked(path: Path) -> str | None:
    with open_bytes(path) as file:
        start = file.read(4)
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


@contextlib.contextmanager
def explained(path: Path, encoding: str, option: str | None, *, name: str | None = None) -> Iterator[None]:
    """Turn an unknown encoding, bytes that are not in it, and a damaged gzip file into InvalidInput with the remedy.

    `name` is what the file is called there, its last part if None.
    """
    name = name or path.name
    try:
        yield
    except LookupError as exc:
        raise InvalidInput(f"{encoding!r} is not an encoding; try utf-8, cp1252, utf-16.", "encoding") from exc
    except UnicodeError as exc:
        raise InvalidInput(f"{name} {_encoding_problem(path, encoding, option)}", "encoding") from exc
    except (EOFError, gzip.BadGzipFile, zlib.error) as exc:
        raise InvalidInput(f"{name} is cut off or damaged as a gzip file ({exc}): fetch it anew.", "file") from exc


def require_encoding(path: Path, encoding: str, option: str | None) -> None:
    """Refuse a file that decodes in `encoding` and is obviously in another: its texts would be garbled.

    Raises:
        InvalidInput: every other byte is zero, or it begins with the mark of UTF-8 and is to be read as another.
    """
    with open_bytes(path) as file:
        start = file.read(_LOOKED_AT_BYTES)
    likely, name = _wide(start), _codec(encoding_of(path, encoding)).name
    if start.startswith(codecs.BOM_UTF8) and not name.startswith("utf"):
        raise InvalidInput(
            f"{path.name} begins with the byte order mark of UTF-8 and is no {encoding}: read it as utf-8.", "encoding"
        )
    if likely and not name.startswith(("utf-16", "utf-32")):
        raise InvalidInput(f"{path.name} is not {encoding}. {_remedy(likely, option)}.", "encoding")


def _wide(start: bytes) -> str | None:
    """Return the encoding of a text without a mark whose every other byte is zero, as most of UTF-16 are."""
    even, odd = start[::2].count(0), start[1::2].count(0)
    if len(start) < 4 or max(even, odd) < len(start) // 3 or min(even, odd) > len(start) // 20:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _encoding_problem(path: Path, encoding: str, option: str | None) -> str:
    likely = _marked(path) or _single_byte(encoding)
    where = _first_bad_byte(path, encoding_of(path, encoding))
    return f"is not {encoding} {where}. {_remedy(likely, option)}."


def _remedy(likely: str, option: str | None) -> str:
    return f"It may be {likely}: save it as UTF-8" + (f", or say {option} {likely}" if option else "")


def _single_byte(tried: str) -> str:
    return "latin-1" if codecs.lookup(tried).name == "cp1252" else "cp1252"


def _first_bad_byte(path: Path, encoding: str) -> str:
    decoder = codecs.getincrementaldecoder(encoding)()
    read_bytes, line = 0, 1
    with open_bytes(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            undecoded = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as exc:
                line += exc.object[: exc.start].count(b"\n")
                return f"at byte {read_bytes - undecoded + exc.start} (0x{exc.object[exc.start]:02x}), line {line}"
            read_bytes += len(chunk)
            line += chunk.count(b"\n")
    return "at its end, where a character is cut off"
