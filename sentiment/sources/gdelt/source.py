"""GDELT's articles as a source: the page titles of each quarter-hour, with what GDELT says that they are about."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx

from sentiment.errors import Unavailable
from sentiment.sources.columns import named_id
from sentiment.sources.gdelt.archive import ArchiveLimits, lines_of_archive
from sentiment.sources.gdelt.columns import BrokenRow
from sentiment.sources.gdelt.event_topics import EVENT_TABLE, MENTION_TABLE, event_kinds
from sentiment.sources.gdelt.gkg import GKG, GkgRow
from sentiment.sources.gdelt.quarters import QUARTER_MS, FeedFile, NewsFeed, QuarterProgress, quarter_from
from sentiment.sources.gdelt.site import GdeltSite, ListedFile, MissingFile
from sentiment.sources.gdelt.topics import topics_of_article
from sentiment.sources.record import Arrival, Passed, Position, Rejected, SourceRecord, SourceText
from sentiment.sources.times import plausible_ms

logger = logging.getLogger(__name__)

#: How often the lists of the newest files are looked at.
LOOK_S: Final = 60.0
#: How long a file that is missing is asked for again while others come; later runs ask for it too.
_TRIED_AGAIN_MS: Final = 24 * 3_600_000
_TURN_ROWS: Final = 50
_KEPT_OF_BROKEN: Final = 1000


@dataclass(frozen=True)
class GdeltSpan:
    """Which feeds are read, from when until when."""

    feeds: tuple[NewsFeed, ...] = (NewsFeed.ENGLISH,)
    #: None for the newest quarter-hour.
    from_ms: int | None = None
    #: Exclusive; None to go on without an end.
    to_ms: int | None = None
    #: Whether the kinds of events in an article are topics of it.
    has_events: bool = False
    #: Whether reading ends with the newest quarter-hour.
    is_once: bool = False


@dataclass(frozen=True)
class GdeltSource:
    """The articles below the address `base`, as texts of the ingest `name`. `client` opens a client, once a reader."""

    name: str
    base: str
    span: GdeltSpan
    client: Callable[[], httpx.AsyncClient]
    now_ms: Callable[[], int]
    limits: ArchiveLimits = field(default_factory=ArchiveLimits)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    @property
    def expected(self) -> None:
        """Nobody knows how many articles a quarter-hour has."""
        return

    async def arrivals(self, position: Position | None) -> AsyncGenerator[Arrival]:
        """Yield the articles behind `position`; what was missing before is asked for first.

        Raises:
            InvalidInput: the position is another source's.
            Unavailable: nobody answers at `base`.
        """
        async with self.client() as client:
            site = GdeltSite(client, self.base, self.limits, self.sleep)
            newest = await self._newest(site)
            progress = QuarterProgress.of(position) if position else self._beginning(newest)
            again = [*([progress.file] if progress.file else []), *sorted(progress.missing)]
            while True:
                async for arrival in self._files(site, progress, again, newest):
                    yield arrival
                if self.span.is_once or self._is_past_end(progress):
                    return
                newest = await self._newer(site, progress)
                again = [file for file in sorted(progress.missing) if file.at_ms > self.now_ms() - _TRIED_AGAIN_MS]

    async def _newest(self, site: GdeltSite) -> dict[NewsFeed, ListedFile]:
        return {feed: await site.newest(feed) for feed in self.span.feeds}

    async def _newer(self, site: GdeltSite, progress: QuarterProgress) -> dict[NewsFeed, ListedFile]:
        """Wait until there is a file to read."""
        while True:
            await self.sleep(LOOK_S)
            try:
                newest = await self._newest(site)
            except Unavailable as exc:
                logger.warning("%s", exc)
                continue
            if any(listed.file.at_ms >= progress.next_ms[feed] for feed, listed in newest.items()):
                return newest

    def _beginning(self, newest: Mapping[NewsFeed, ListedFile]) -> QuarterProgress:
        from_ms = self.span.from_ms
        return QuarterProgress(
            {feed: newest[feed].file.at_ms if from_ms is None else quarter_from(from_ms) for feed in self.span.feeds}
        )

    def _is_past_end(self, progress: QuarterProgress) -> bool:
        to_ms = self.span.to_ms
        return to_ms is not None and all(at_ms >= to_ms for at_ms in progress.next_ms.values())

    async def _files(
        self,
        site: GdeltSite,
        progress: QuarterProgress,
        again: list[FeedFile],
        newest: Mapping[NewsFeed, ListedFile],
    ) -> AsyncGenerator[Arrival]:
        """Yield the rows of files to be tried again, and of those up to the newest ones."""
        ends_ms = {feed: listed.file.at_ms + QUARTER_MS for feed, listed in newest.items()}
        if self.span.to_ms is not None:
            ends_ms = {feed: min(end_ms, self.span.to_ms) for feed, end_ms in ends_ms.items()}
        for file in itertools.chain(again, progress.due(ends_ms)):
            listed = newest[file.feed]
            async for arrival in self._file(site, progress, file, listed if listed.file == file else None):
                yield arrival

    async def _file(
        self, site: GdeltSite, progress: QuarterProgress, file: FeedFile, listed: ListedFile | None
    ) -> AsyncGenerator[Arrival]:
        """Yield the rows of a file behind those that were read; at its end, the position behind the whole of it."""
        done_rows = progress.row if progress.file == file else 0
        progress.next_ms[file.feed] = max(progress.next_ms[file.feed], file.at_ms + QUARTER_MS)
        number = done_rows
        try:
            archive = await self._archive(site, file, listed)
        except MissingFile as exc:
            progress.missing[file] = str(exc)
        else:
            kinds = await self._event_kinds(site, file) if self.span.has_events else {}
            progress.missing.pop(file, None)
            progress.file = file
            for number, line in enumerate(lines_of_archive(archive, self.limits), 1):
                if number > done_rows:
                    progress.row = number
                    yield Arrival(self._record(file, line, kinds), number, progress.position())
                if number % _TURN_ROWS == 0:
                    await asyncio.sleep(0)
        progress.file, progress.row = None, 0
        yield Arrival(Passed(), number, progress.position())

    async def _archive(self, site: GdeltSite, file: FeedFile, listed: ListedFile | None) -> bytes:
        """Return a file; a reader without an end waits through failures of the server."""
        while True:
            try:
                return await site.archive(file, listed)
            except Unavailable as exc:
                if self.span.is_once or self.span.to_ms is not None:
                    raise
                logger.warning("%s", exc)
            await self.sleep(LOOK_S)

    async def _event_kinds(self, site: GdeltSite, file: FeedFile) -> Mapping[str, Sequence[str]]:
        """Return the kinds of events in a quarter-hour's articles, by URL; none where a table is missing."""
        try:
            tables = [await site.table(file, table) for table in (EVENT_TABLE, MENTION_TABLE)]
        except (MissingFile, Unavailable) as exc:
            logger.warning("%s is read without events: %s", file.name, exc)
            return {}
        events, mentions = (lines_of_archive(table, self.limits) for table in tables)
        return await asyncio.to_thread(event_kinds, events, mentions)

    def _record(self, file: FeedFile, line: bytes, kinds: Mapping[str, Sequence[str]]) -> SourceRecord:
        try:
            if len(line) > self.limits.line:
                raise BrokenRow(f"is longer than {self.limits.line:,} bytes")
            row = GKG.read(line.decode("utf-8", "replace"))
            events = kinds.get(row.document_id, ())
            return text_of_article(row, self.name, self.now_ms(), events) or Passed(1)
        except BrokenRow as exc:
            shown = line[:_KEPT_OF_BROKEN].decode("utf-8", "replace")
            return Rejected(str(exc), {"file": file.name, "line": shown})


def text_of_article(row: GkgRow, name: str, now_ms: int, events: Sequence[str] = ()) -> SourceText | None:
    """Return an article's title as a text of the ingest `name`; None where it has none. Raises BrokenRow."""
    title = row.title
    if not title:
        return None
    created_at_ms = plausible_ms(row.at, now_ms)
    return SourceText(
        named_id(name, row.record_id),
        title,
        created_at_ms,
        row.source_name or None,
        topics_of_article(row, events),
        is_corrected=created_at_ms is None,
    )
