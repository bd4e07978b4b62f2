"""Removes this machine's folders from messages for people who use the API.

The full path of a file helps whoever runs the platform, but would tell users of the API about its machine. The log
keeps the full message.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

#: A full path of two parts or more, in quotes (then it may hold blanks) or not, also behind `file://`; no API's route.
_PATH: Final = re.compile(
    r"""
      (?<=['"]) (?:[a-z]+://)? /(?!v\d+/) [^'"\n]*/[^'"\n]+ (?=['"])
    | (?: \b[a-z]+://(?=/) | (?<![\w:/.~-]) ) /+(?!v\d+/) [^\s/'"]+ (?:/+[^\s/'"]*)+
    """,
    re.VERBOSE,
)


def without_folders(text: str, home: Path | None = None) -> str:
    """Return a text in which each full path is replaced by its last name; `home` may contain spaces."""
    if home is not None:
        text = text.replace(f"{home}/", "/").replace(str(home), home.name)
    return _PATH.sub(lambda path: path[0].rstrip("/").rpartition("/")[2], text)
