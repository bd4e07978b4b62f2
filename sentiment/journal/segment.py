"""The segment that a journal writes: what was not written wholly is cut off again."""

from __future__ import annotations

import logging
import os
from pathlib import Path

logger = logging.getLogger(__name__)


class SegmentWriter:
    """A segment file open for writing; `size` counts the bytes of whole frames."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append all of `data`.

        Raises:
            OSError: the disk is full or bad; nothing of `data` stays.
        """
        rest, offset = memoryview(data), self.size
        try:
            while rest:
                written = os.pwrite(self._file, rest, offset)
                rest, offset = rest[written:], offset + written
        except OSError:
            self.cut(self.size)
            raise
        self.size = offset

    def sync(self) -> None:
        """Put everything written on disk.

        Raises:
            OSError: the disk did not take it. What was written since the last sync is lost or not: nobody knows.
        """
        os.fdatasync(self._file)

    def cut(self, size: int) -> None:
        """Forget all bytes from `size` on, best effort: a reader stops at a torn end anyway."""
        self.size = size
        try:
            os.ftruncate(self._file, size)
        except OSError:
            logger.warning("a partial write could not be cut off a journal's segment")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
