"""A journal's folder: one owner at a time by file lock, segment files with rising numbers, and a checkpoint.

lock                  locked by the process that owns the folder; freed by the kernel when it dies
0000000000000001      segments
checkpoint            up to where the store has everything
1-42.corrupt          damaged bytes of segment 1 at offset 42, for a person to look at
conflicts.jsonl       operations that were promised and that the store refused (sentiment/writes/rejected_log.py)
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import zlib
from pathlib import Path
from typing import Final, NamedTuple

logger = logging.getLogger(__name__)

_NUMBER_DIGITS: Final = 16
_CHECKPOINT: Final = struct.Struct("<QQI")


class Position(NamedTuple):
    """A place in a journal: byte `offset` of segment number `segment`. Positions order as the operations do."""

    segment: int
    offset: int


class OwnedFolder:
    """A folder that this process owns until `close`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock
        self._checkpoint = os.open(path / "checkpoint", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @classmethod
    def take(cls, path: Path) -> OwnedFolder | None:
        """Take the folder, created if missing (mode 0700); return None if another owner is alive.

        Raises:
            OSError: the folder cannot be made or opened.
        """
        path.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return cls(path, lock)
        except OSError as exc:
            os.close(lock)
            if isinstance(exc, BlockingIOError):
                return None
            raise

    def segments(self) -> dict[int, int]:
        """Return the bytes of each segment by its number, in order."""
        return {int(path.name): path.stat().st_size for path in sorted(segment_files(self.path))}

    def segment_path(self, number: int) -> Path:
        """Return the file of a segment."""
        return self.path / f"{number:0{_NUMBER_DIGITS}d}"

    def read_checkpoint(self) -> Position | None:
        """Return the position up to which the store has everything, None if there is no valid checkpoint."""
        data = os.pread(self._checkpoint, _CHECKPOINT.size, 0)
        if len(data) < _CHECKPOINT.size or zlib.crc32(data[:-4]) != _CHECKPOINT.unpack(data)[2]:
            return None
        return Position(*_CHECKPOINT.unpack(data)[:2])

    def write_checkpoint(self, position: Position) -> None:
        """Record that the store has everything before `position`; not synced, as an older one only costs replay."""
        data = _CHECKPOINT.pack(*position, 0)[:-4]
        os.pwrite(self._checkpoint, data + struct.pack("<I", zlib.crc32(data)), 0)

    def keep_aside(self, position: Position, content: bytes) -> None:
        """Write damaged bytes to a file of their own."""
        path = self.path / f"{position.segment}-{position.offset}.corrupt"
        write_private(path, content)
        logger.error("%d damaged bytes of a journal were skipped and saved in %s", len(content), path.name)

    def corrupt_files(self) -> int:
        """Return the number of saved damaged places."""
        return sum(1 for _ in self.path.glob("*.corrupt"))

    def sync(self) -> None:
        """Sync the folder's own entries to disk."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def room_bytes(self, reserve_bytes: int) -> int:
        """Return the free bytes beyond the reserve, which is `reserve_bytes` or a twentieth of a small disk."""
        disk = os.statvfs(self.path)
        return (disk.f_bavail * disk.f_frsize) - min(reserve_bytes, disk.f_blocks * disk.f_frsize // 20)

    def close(self) -> None:
        """Give up the folder."""
        os.close(self._checkpoint)
        os.close(self._lock)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read (mode 0600), and sync it."""
    _write_private(path, content, os.O_TRUNC)


def append_private(path: Path, content: bytes) -> None:
    """Append to a file that only its owner can read (mode 0600), and sync it."""
    _write_private(path, content, os.O_APPEND)


def _write_private(path: Path, content: bytes, how: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def segment_files(path: Path) -> list[Path]:
    """Return the segments of a journal's folder."""
    return [file for file in path.iterdir() if file.name.isdigit() and len(file.name) == _NUMBER_DIGITS]


def journal_folders(root: Path) -> list[Path]:
    """Return the folders of journals under `root`, owned or not."""
    return sorted(path for path in root.glob("journal-*") if path.is_dir())
