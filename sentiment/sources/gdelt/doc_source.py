"""The articles that a search of DOC 2.0 finds, as a source: spans of time, halved until one is shown whole."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self

import httpx

from sentiment.errors import InvalidInput
from sentiment.sources.columns import named_id
from sentiment.sources.gdelt.doc import MOST_ARTICLES, ArticleList, DocService
from sentiment.sources.gdelt.quarters import QUARTER_MS, stamp_of
from sentiment.sources.record import Arrival, Passed, Position, Rejected, SourceRecord, SourceText
from sentiment.sources.times import plausible_ms
from sentiment.validation_messages import shown

#: The longest span that the service answers: some three months.
LONGEST_SPAN_MS: Final = 90 * 24 * 3_600_000
#: Without a beginning, this much is asked for.
LAST_MS: Final = 24 * 3_600_000
#: The service adds articles late: a later run asks for the end of the one before once more.
_OVERLAP_MS: Final = 3_600_000
_KEPT_OF_BROKEN: Final = 1000
_UNFIT: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass
class DocProgress:
    """How far a reader has come: all articles up to `at_ms`, and those in `ids` at or after it."""

    at_ms: int
    ids: dict[str, None] = field(default_factory=dict)
    #: Spans that the service has not shown whole, each with the reason.
    missing: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, position: Position) -> Self:
        """Return what `position` made JSON of. Raises InvalidInput where it is another source's."""
        try:
            return cls(int(position["at_ms"]), dict.fromkeys(position["ids"]), dict(position["missing"]))
        except (KeyError, TypeError, ValueError) as exc:
            raise InvalidInput(
                "The earlier ingest of this name was not a search of GDELT: give another --name, or start from the "
                "beginning with --restart.",
                "name",
            ) from exc

    def position(self) -> Position:
        """Return it as JSON has it."""
        return {"at_ms": self.at_ms, "ids": list(self.ids), "missing": dict(self.missing)}


@dataclass(frozen=True)
class DocSource:
    """The articles that `query` finds at `address`, seen from `from_ms` to `to_ms` (None: the last day; now)."""

    name: str
    query: str
    address: str
    from_ms: int | None
    to_ms: int | None
    client: Callable[[], httpx.AsyncClient]
    now_ms: Callable[[], int]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock_s: Callable[[], float] = time.monotonic

    @property
    def expected(self) -> None:
        """Nobody knows how many articles are found."""
        return

    async def arrivals(self, position: Position | None) -> AsyncGenerator[Arrival]:
        """Yield the articles behind `position`, oldest span first.

        Raises:
            InvalidInput: the position is another source's, or the service does not take the query.
            Unavailable: the service does not answer.
        """
        to_ms = self.now_ms() if self.to_ms is None else min(self.to_ms, self.now_ms())
        progress = DocProgress.of(position) if position else DocProgress(self._begin_ms(to_ms))
        if position and self.to_ms is not None and progress.at_ms >= self.to_ms:
            return
        begin_ms = progress.at_ms - (_OVERLAP_MS if position else 0)
        async with self.client() as client:
            service = DocService(client, self.address, self.sleep, self.clock_s)
            spans = deque(spans_of(begin_ms, to_ms))
            while spans:
                span = spans.popleft()
                articles = await service.articles(self.query, *span)
                if articles.is_full and (halves := halved(*span)):
                    spans.extendleft(reversed(halves))
                    continue
                for arrival in self._arrivals_of(progress, articles, *span):
                    yield arrival

    def _begin_ms(self, to_ms: int) -> int:
        return to_ms - LAST_MS if self.from_ms is None else self.from_ms

    def _arrivals_of(
        self, progress: DocProgress, articles: ArticleList, begin_ms: int, end_ms: int
    ) -> Iterator[Arrival]:
        """Yield the articles of a span without those of the span before, which share its first moment."""
        if articles.is_full:
            progress.missing[f"{stamp_of(begin_ms)}-{stamp_of(end_ms)}"] = (
                f"has {MOST_ARTICLES} articles or more: the service shows no more than these"
            )
        ids = dict[str, None]()
        for number, article in enumerate(articles.articles, 1):
            record = record_of_article(article, self.name, self.now_ms())
            key = article_key(article)
            ids[key] = None
            if key not in progress.ids:
                progress.ids[key] = None
                yield Arrival(record, number, progress.position())
        for text in articles.broken:
            yield Arrival(Rejected("is broken JSON", {"article": text[:_KEPT_OF_BROKEN]}), 0, progress.position())
        progress.at_ms, progress.ids = max(progress.at_ms, end_ms), ids
        yield Arrival(Passed(), len(articles.articles), progress.position())


def spans_of(begin_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """Yield spans that the service answers, each beginning where the one before ends."""
    for at_ms in range(begin_ms, end_ms, LONGEST_SPAN_MS):
        yield at_ms, min(at_ms + LONGEST_SPAN_MS, end_ms)


def halved(begin_ms: int, end_ms: int) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the halves of a span, with one time in common; None for one of a quarter-hour, the shortest there is."""
    if end_ms - begin_ms < 2 * QUARTER_MS:
        return None
    middle_ms = (begin_ms + end_ms) // 2 // 1000 * 1000
    return (begin_ms, middle_ms), (middle_ms, end_ms)


def article_key(article: Mapping[str, Any]) -> str:
    """Return what tells articles apart: a digest of the address."""
    return hashlib.blake2b(str(article.get("url")).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def record_of_article(article: Mapping[str, Any], name: str, now_ms: int) -> SourceRecord:
    """Return an article as a text of the ingest `name`."""
    url, title, domain = (_word(article.get(each)) for each in ("url", "title", "domain"))
    if not url:
        return Rejected("has no url", {"article": str(dict(article))[:_KEPT_OF_BROKEN]})
    if not title:
        return Passed(1)
    try:
        seen_at = datetime.strptime(_word(article.get("seendate")), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return Rejected(f"has the seendate {shown(article.get('seendate'))}, which is not a time", {"url": url})
    created_at_ms = plausible_ms(int(seen_at.timestamp()) * 1000, now_ms)
    return SourceText(
        named_id(name, article_key(article)), title, created_at_ms, domain or None, is_corrected=created_at_ms is None
    )


def _word(value: Any) -> str:
    return " ".join(_UNFIT.sub("", value).split()) if isinstance(value, str) else ""
