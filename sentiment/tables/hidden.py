"""What systems and programs leave beside data: no file of it is data, wherever a folder is read."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

#: Names in lower case: of macOS and its archives, of Windows, of network disks, of Python.
_NAMES: Final = frozenset(
    {
        "__macosx",
        "icon\r",
        "thumbs.db",
        "ehthumbs.db",
        "ehthumbs_vista.db",
        "desktop.ini",
        "$recycle.bin",
        "system volume information",
        "@eadir",
        "lost+found",
    }
)
_OPEN_IN_OFFICE: Final = "~$"


def is_hidden(path: str | PurePath) -> bool:
    """Return whether a path, relative to the folder that is read, is no data: because of its own name or a folder's.

    Hidden are names that begin with a dot (`.DS_Store`, `._tweets.csv`) or with `~$`, the marks of systems
    (`__MACOSX`, `Thumbs.db`, `desktop.ini`) in any case, and, as for Spark and Hive, names that begin with an
    underscore (`_SUCCESS`, `_temporary`) unless they have a `=`, which makes them a partition's.
    """
    return any(_is_hidden(part) for part in PurePath(path).parts)


def _is_hidden(name: str) -> bool:
    if name.startswith("_"):
        return "=" not in name
    return name.startswith((".", _OPEN_IN_OFFICE)) or name.lower() in _NAMES
