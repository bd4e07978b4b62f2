"""Keeps an index open, fed and whole: what a process that owns one runs, a tick a second."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sentiment.errors import StoreUnavailable, Unavailable
from sentiment.insight.feed import Feed
from sentiment.insight.index import InsightIndex
from sentiment.insight.values import Query
from sentiment.store.base import TextStore

logger = logging.getLogger(__name__)

DAY_MS: Final = 24 * 3_600_000
_FORGET_EVERY: Final = 60
_FAILURES_BEFORE_REOPENING: Final = 3


@dataclass(frozen=True, slots=True)
class IndexState:
    """The state of an index."""

    ready: bool
    texts: int
    #: Changes of texts that it lacks.
    pending: int
    #: How long ago it had all of them; 0 while it has.
    behind_s: float
    #: How often it was written since it was opened here.
    commits: int


class Indexer:
    """Opens the index with `open_index`, rebuilds it from the store's texts where it must, and follows the store.

    `tick` and `renew_if_due` have one caller each; the others may be called from any thread.
    """

    def __init__(
        self,
        store: TextStore,
        open_index: Callable[[], InsightIndex],
        now_ms: Callable[[], int],
        *,
        always_renews: bool = False,
    ) -> None:
        self._store = store
        self._open_index = open_index
        self._now_ms = now_ms
        self._always_renews = always_renews
        self._opened: tuple[InsightIndex, Feed] | None = None
        self._problem = "it is being opened"
        self._failures = self._ticks = self._commits = 0
        self._level_at_ms = now_ms()

    def index(self) -> InsightIndex:
        """Return the index to ask.

        Raises:
            Unavailable: it is not open, or is being made from the texts; says how far that is.
        """
        if self._opened is None:
            raise Unavailable(f"the insight index is not open: {self._problem}; try again in a moment")
        index, feed = self._opened
        if feed.place is None:
            raise Unavailable(f"the insight index is being made from the texts, {feed.progress}; try again soon")
        return index

    def tick(self) -> None:
        """Bring the index up to the store, with one commit.

        Raises:
            StoreUnavailable: the store does not answer; the next tick goes on.
            Unavailable: the index cannot be opened or written; likewise.
        """
        try:
            _, feed = self._open()
            self._bring_up(feed)
        except StoreUnavailable:
            raise
        except Exception as exc:
            self._note_failure(exc)
            raise
        self._failures = 0

    def renew_if_due(self) -> None:
        """Rebuild the index from the texts once a day, where words of deleted texts may still be on disk.

        Raises:
            StoreUnavailable: the store does not answer; the index is as it was.
            Unavailable: the index cannot be written; likewise.
        """
        if self._opened is None:
            return
        _, feed = self._opened
        place = feed.place
        if place is None or self._now_ms() - place.made_at_ms < DAY_MS:
            return
        if place.has_erased or self._always_renews:
            logger.info("rebuilding the insight index, to remove words of deleted texts from the disk")
            feed.rebuild()

    def state(self) -> IndexState:
        """Return how the index is.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        try:
            texts = self.index().count(Query())
        except Unavailable:
            return IndexState(False, 0, 0, self._behind_s(), self._commits)
        pending = self._opened[1].pending() if self._opened else 0
        return IndexState(True, texts, pending, self._behind_s() if pending else 0.0, self._commits)

    def close(self) -> None:
        """Give back the index."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened[0].close()

    def _open(self) -> tuple[InsightIndex, Feed]:
        if self._opened is None:
            index = self._open_index()
            try:
                self._opened = index, Feed(self._store, index, self._now_ms)
            except BaseException:
                index.close()
                raise
        return self._opened

    def _bring_up(self, feed: Feed) -> None:
        changed = feed.follow()
        if changed is None:
            logger.info("the insight index is made from the store's texts")
            feed.rebuild()
        self._commits += changed != 0
        if feed.pending() == 0:
            self._level_at_ms = self._now_ms()
        self._ticks += 1
        if self._ticks % _FORGET_EVERY == 0:
            feed.forget()

    def _note_failure(self, exc: Exception) -> None:
        self._problem = str(exc) if isinstance(exc, Unavailable) else type(exc).__name__
        self._failures += 1
        if self._failures >= _FAILURES_BEFORE_REOPENING:
            self._failures = 0
            self.close()

    def _behind_s(self) -> float:
        return max(0.0, (self._now_ms() - self._level_at_ms) / 1000)
