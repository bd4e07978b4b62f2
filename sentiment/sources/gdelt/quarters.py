"""GDELT's quarter-hours: which files there are, how they are called, and how far a reader has come with them."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Self

from sentiment.errors import InvalidInput
from sentiment.sources.gdelt.columns import read_moment
from sentiment.sources.record import Position

QUARTER_MS: Final = 15 * 60_000
#: GDELT 2.1 begins on 18 February 2015, at 23:00 UTC (in files of 22:45 for what is translated).
FIRST_MS: Final = 1_424_299_500_000
_NAME: Final = re.compile(r"(\d{14})(\.translation)?\.gkg\.csv\.zip", re.ASCII)


class NewsFeed(StrEnum):
    """What GDELT reads: pages in English, and those that it translates from 65 other languages."""

    ENGLISH = "english"
    TRANSLATED = "translated"


@dataclass(frozen=True, order=True)
class FeedFile:
    """The articles of one quarter-hour in one feed; ordered by time."""

    at_ms: int
    feed: NewsFeed

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.name_of("gkg.csv")

    def name_of(self, table: str) -> str:
        """Return the name of another table of this quarter-hour and feed."""
        translation = ".translation" if self.feed is NewsFeed.TRANSLATED else ""
        return f"{stamp_of(self.at_ms)}{translation}.{table}.zip"

    @classmethod
    def of(cls, name: str) -> Self | None:
        """Return the file of a name; None where the name is not that of a quarter-hour's file."""
        match = _NAME.fullmatch(name)
        try:
            at_ms = read_moment(match[1]) if match else None
        except ValueError:
            at_ms = None
        if match is None or at_ms is None or at_ms % QUARTER_MS:
            return None
        return cls(at_ms, NewsFeed.TRANSLATED if match[2] else NewsFeed.ENGLISH)


def stamp_of(at_ms: int) -> str:
    """Return a time as GDELT writes it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y%m%d%H%M%S")


def quarter_from(at_ms: int) -> int:
    """Return the first quarter-hour that begins at this time or after it."""
    return max(-(-at_ms // QUARTER_MS) * QUARTER_MS, FIRST_MS)


@dataclass
class QuarterProgress:
    """How far a reader has come."""

    #: The next quarter-hour to read, by feed.
    next_ms: dict[NewsFeed, int]
    #: The file under way, and its last row that was read.
    file: FeedFile | None = None
    row: int = 0
    #: Files that could not be read, each with the reason; they are tried again.
    missing: dict[FeedFile, str] = field(default_factory=dict)

    @classmethod
    def of(cls, position: Position) -> Self:
        """Return what `position` made JSON of. Raises InvalidInput where it is another source's."""
        try:
            next_ms = {NewsFeed(feed): int(read_moment(stamp)) for feed, stamp in position["next"].items()}
            file = FeedFile.of(position["file"]) if position["file"] else None
            return cls(next_ms, file, position["row"], _files(position["missing"]))
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise InvalidInput(
                "The earlier ingest of this name was not a feed of GDELT: give another --name, or start from the "
                "beginning with --restart.",
                "name",
            ) from exc

    def position(self) -> Position:
        """Return it as JSON has it."""
        return {
            "next": {feed.value: stamp_of(at_ms) for feed, at_ms in self.next_ms.items()},
            "file": self.file.name if self.file else None,
            "row": self.row,
            "missing": {file.name: reason for file, reason in sorted(self.missing.items())},
        }

    def due(self, ends_ms: Mapping[NewsFeed, int]) -> Iterator[FeedFile]:
        """Yield the files to read, oldest first, those of each feed before its end."""
        return heapq.merge(*(_files_between(self.next_ms[feed], end_ms, feed) for feed, end_ms in ends_ms.items()))


def _files_between(begin_ms: int, end_ms: int, feed: NewsFeed) -> Iterator[FeedFile]:
    return (FeedFile(at_ms, feed) for at_ms in range(begin_ms, end_ms, QUARTER_MS))


def gaps_of(position: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the missing files by name, with the reason; empty for positions of other sources."""
    missing = (position or {}).get("missing")
    return dict(missing) if isinstance(missing, dict) else {}


def _files(names: Mapping[str, str]) -> dict[FeedFile, str]:
    files = ((FeedFile.of(name), reason) for name, reason in names.items())
    return {file: reason for file, reason in files if file is not None}
