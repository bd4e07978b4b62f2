"""Words for people who may not know where files lie: what an error or a library says, without this machine's folders.

A message that names a file in full helps whoever runs the command; a reader of the API learns from it who runs the
platform, and where. The log keeps the message as it was.
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
    """Return a text with the name alone of each file or folder that it names in full; `home` may hold blanks."""
    if home is not None:
        text = text.replace(f"{home}/", "/").replace(str(home), home.name)
    return _PATH.sub(lambda path: path[0].rstrip("/").rpartition("/")[2], text)
