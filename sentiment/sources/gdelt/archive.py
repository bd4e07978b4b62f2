"""The one table in a zip archive, which may be malicious: checked as a whole, then read line by line."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final

_CHUNK_BYTES: Final = 2**20
#: What zipfile raises for archives that are cut off, altered, encrypted or packed in a way that nobody knows.
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError)


class DamagedArchive(ValueError):
    """An archive does not hold what it should; the message says what is wrong with it."""


@dataclass(frozen=True)
class ArchiveLimits:
    """How large an archive, its table and a line may be, in bytes. A quarter-hour of GDELT has some 10 and 40 MB."""

    packed: int = 128 * 2**20
    unpacked: int = 512 * 2**20
    line: int = 8 * 2**20


def check_archive(archive: bytes, limits: ArchiveLimits) -> None:
    """Check an archive by unpacking it to nowhere. Raises DamagedArchive, also for one that is too large unpacked."""
    with _table_of(archive, limits) as file:
        size = 0
        while chunk := file.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > limits.unpacked:
                raise DamagedArchive(f"unpacks to more than {limits.unpacked:,} bytes")


def lines_of_archive(archive: bytes, limits: ArchiveLimits) -> Iterator[bytes]:
    """Yield the lines of a checked archive without their ends; of one longer than allowed a byte more than that."""
    with _table_of(archive, limits) as file:
        while line := file.readline(limits.line + 1):
            rest = line
            while not rest.endswith(b"\n") and (rest := file.readline(limits.line)):
                pass
            yield line.rstrip(b"\r\n")


@contextmanager
def _table_of(archive: bytes, limits: ArchiveLimits) -> Iterator[IO[bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            tables = [member for member in opened.infolist() if member.filename.lower().endswith(".csv")]
            if len(tables) != 1:
                raise DamagedArchive(f"holds {len(tables)} tables, not one")
            if tables[0].file_size > limits.unpacked:
                raise DamagedArchive(
                    f"says that it unpacks to {tables[0].file_size:,} bytes, beyond {limits.unpacked:,}"
                )
            with opened.open(tables[0]) as file:
                yield file
    except DamagedArchive:
        raise
    except _BROKEN as exc:
        raise DamagedArchive(f"is not a complete zip archive ({exc})") from exc
