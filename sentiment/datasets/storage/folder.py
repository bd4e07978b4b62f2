"""Objects in a local folder: written beside their place, then linked into it, so that none is ever half there."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sentiment.errors import DatasetsUnavailable

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_NO_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class FolderObjects:
    """Objects as files, read-only for everyone once they are written."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.place = str(root)

    def create(self, key: str, data: bytes) -> bool:
        """Link a finished file to its place; the link fails if the place is taken."""
        with self._explained("written to"), self._draft(key, data) as draft:
            return _link(draft, self._root / key, data)

    def keep(self, key: str, data: bytes) -> None:
        """Put a finished file in its place, unless its content stands there already."""
        if self.read(key) != data:
            with self._explained("written to"), self._draft(key, data) as draft:
                draft.replace(self._root / key)
                _flush_folder((self._root / key).parent)

    def read(self, key: str) -> bytes | None:
        """Return the file's bytes, or None where there is no file."""
        with self._explained("read"):
            try:
                return (self._root / key).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the files below a folder; those that are being written begin with a dot and are left out."""
        with self._explained("read"):
            files = (entry for entry in _entries(self._root / prefix) if entry.is_file() and entry.name[0] != ".")
            return {prefix + entry.name: entry.stat().st_size for entry in files}

    def folders(self) -> list[str]:
        """Return the names of the folders at the top."""
        with self._explained("read"):
            return sorted(entry.name for entry in _entries(self._root) if entry.is_dir() and entry.name[0] != ".")

    def address(self, key: str) -> str:
        """Return the file's path."""
        return str(self._root / key)

    @contextlib.contextmanager
    def _draft(self, key: str, data: bytes) -> Iterator[Path]:
        target = self._root / key
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.draft")
        try:
            _write(draft, data)
            yield draft
        finally:
            with contextlib.suppress(OSError):  # it is in its place now, or the folder is away: no second error
                draft.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise DatasetsUnavailable(_explanation(self.place, what, exc)) from exc


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _link(draft: Path, target: Path, data: bytes) -> bool:
    try:
        os.link(draft, target)
    except FileExistsError:
        return False
    except OSError as exc:
        if exc.errno not in _NO_LINKS:
            raise
        return _write_new(target, data)  # a file system without hard links: a write that is cut off shows by its sum
    _flush_folder(target.parent)
    return True


def _write_new(target: Path, data: bytes) -> bool:
    try:
        _write(target, data)
    except FileExistsError:
        return False
    return True


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explanation(place: str, what: str, exc: OSError) -> str:
    if exc.errno in _FULL:
        return f"The disk of the dataset store {place} is full: free some space, or set UNDERTONE_DATASETS anew."
    reason = exc.strerror or str(exc)
    remedy = "mount it or correct its permissions, or set UNDERTONE_DATASETS to a folder or s3:// address that works"
    return f"The dataset store {place} cannot be {what} ({reason}): {remedy}."
