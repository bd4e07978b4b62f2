"""The journal, which makes a 200 a promise: folders with one owner, segments of checksummed frames, group commit."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sentiment.errors import Unavailable
from sentiment.journal.folder import OwnedFolder, Position, journal_folders, segment_files
from sentiment.journal.journal import Chunk, Journal, JournalOptions

__all__ = ["Chunk", "Journal", "JournalOptions", "Position", "open_free", "open_orphan", "orphans"]

_MAX_FOLDERS: Final = 1000


def open_free(root: Path, options: JournalOptions | None = None) -> Journal:
    """Open the first journal under `root` without a live owner, or create one.

    Raises:
        Unavailable: the folder cannot be used; the message says why.
    """
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(_MAX_FOLDERS):
            folder = OwnedFolder.take(root / f"journal-{number:03d}")
            if folder is not None:
                return Journal(folder, options)
    except OSError as exc:
        raise Unavailable(f"the journal's folder cannot be used: {exc.strerror}") from exc
    raise Unavailable(f"all {_MAX_FOLDERS} journals have an owner: stop sinks that are not needed")


def orphans(root: Path) -> list[Path]:
    """Return the journal folders with segments; `open_orphan` opens one only if its owner is gone."""
    return [path for path in journal_folders(root) if segment_files(path)]


def open_orphan(path: Path, options: JournalOptions | None = None) -> Journal | None:
    """Open the journal in `path`; return None while its owner is alive.

    Raises:
        OSError: the folder cannot be opened.
    """
    folder = OwnedFolder.take(path)
    return Journal(folder, options) if folder is not None else None
