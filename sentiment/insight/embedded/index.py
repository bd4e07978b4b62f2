"""The insight index on disk: every commit survives a power cut, and a killed process goes on from the last one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from typing_extensions import override

from sentiment.errors import Unavailable
from sentiment.insight.buckets import Stretch, stretches_of
from sentiment.insight.embedded.compiler import compile_query
from sentiment.insight.embedded.content import FAULTS, Change, Content, Snapshot
from sentiment.insight.embedded.folder import IndexFolder
from sentiment.insight.embedded.groups import groups_of
from sentiment.insight.embedded.pages import page_of
from sentiment.insight.embedded.terms import completions_of, count_of, facets_of, related_terms
from sentiment.insight.embedded.timeline import sums_of
from sentiment.insight.index import InsightIndex
from sentiment.insight.prefix import prefix_of
from sentiment.insight.sums import comparison_of, timeline_of
from sentiment.insight.values import (
    ALL_TIME,
    Completion,
    Deletion,
    FacetCount,
    FacetName,
    IdPage,
    IndexedText,
    Order,
    Query,
    Span,
    Term,
    Timeline,
    TimelineComparison,
    TimeRange,
)
from sentiment.insight.why import Group, GroupSums

logger = logging.getLogger(__name__)


class TantivyIndex(InsightIndex):
    """Keeps the content in a folder that one process owns at a time."""

    def __init__(self, path: Path) -> None:
        """Open the index of a folder. It is empty, with no position, where none is there or its files are damaged.

        Raises:
            Unavailable: another process owns the folder, or it cannot be written.
        """
        self._folder = IndexFolder(path)
        self._writing, self._rebuilding = threading.Lock(), threading.Lock()
        self._meanwhile: list[tuple[list[Change], str]] | None = None
        self._content: Content | None = self._opened()
        self._folder.remove_left_over()

    @property
    @override
    def commit(self) -> str:
        return self._snapshot().commit

    @property
    @override
    def position(self) -> str:
        return self._snapshot().position

    @override
    def apply(self, deletions: Sequence[Deletion], texts: Sequence[IndexedText], position: str) -> None:
        changes: list[Change] = [*texts, *deletions]
        with self._writing:
            self._opened_content().apply(changes, position)
            if self._meanwhile is not None:
                self._meanwhile.append((changes, position))

    @override
    def rebuild(self, texts: Iterable[IndexedText], position: str) -> None:
        with self._rebuilding:
            with self._writing:
                self._opened_content()
                self._meanwhile = []
            fresh = Content(self._folder.fresh())
            try:
                fresh.fill(texts)
                self._swap(fresh, position)
            finally:
                self._meanwhile = None
                if self._content is not fresh:
                    fresh.close()
                self._folder.remove_left_over()

    @override
    def count(self, query: Query, within: TimeRange = ALL_TIME) -> int:
        return count_of(self._snapshot().searcher, compile_query(query.condition, within))

    @override
    def extent(self, query: Query) -> TimeRange | None:
        levels = {"times": {"stats": {"field": "time"}}}
        times = self._snapshot().searcher.aggregate(compile_query(query.condition, ALL_TIME), levels)["times"]
        return TimeRange(int(times["min"]), int(times["max"]) + 1) if times["count"] else None

    @override
    def timeline(self, query: Query, span: Span, now_ms: int) -> Timeline:
        return _timeline(self._snapshot(), query, span, stretches_of(span, now_ms))

    @override
    def compare(self, queries: Sequence[Query], span: Span, now_ms: int) -> TimelineComparison:
        snapshot, stretches = self._snapshot(), stretches_of(span, now_ms)
        return comparison_of([_timeline(snapshot, query, span, stretches) for query in queries])

    @override
    def related(self, query: Query, limit: int, within: TimeRange = ALL_TIME) -> list[Term]:
        return related_terms(self._snapshot().searcher, query.condition, limit, within)

    @override
    def facets(self, query: Query, name: FacetName, limit: int, within: TimeRange = ALL_TIME) -> list[FacetCount]:
        return facets_of(self._snapshot().searcher, query.condition, name, limit, within)

    @override
    def top(
        self, query: Query, order: Order, limit: int, within: TimeRange = ALL_TIME, after: str | None = None
    ) -> IdPage:
        snapshot = self._snapshot()
        ids, following = page_of(snapshot.searcher, query.condition, order, limit, within, after)
        return IdPage(ids, following, snapshot.commit)

    @override
    def groups(self, query: Query, within: TimeRange = ALL_TIME, topics: int = 200) -> Mapping[Group, GroupSums]:
        return groups_of(self._snapshot().searcher, query.condition, within, topics)

    @override
    def complete(self, prefix: str, limit: int) -> list[Completion]:
        return completions_of(self._snapshot().searcher, prefix_of(prefix), limit)

    @override
    def close(self) -> None:
        with self._writing:
            content, self._content = self._content, None
            if content is not None:
                content.close()
                self._folder.close()

    def _opened(self) -> Content:
        generation = self._folder.current()
        if generation is not None:
            try:
                return Content(generation)
            except FAULTS as exc:
                logger.warning("the insight index is damaged (%s); rebuilding it from the text store", exc)
        fresh = Content(self._folder.fresh())
        self._folder.make_current(fresh.folder)
        return fresh

    def _swap(self, fresh: Content, position: str) -> None:
        with self._writing:
            former = self._opened_content()
            fresh.apply([], position)
            for changes, later in self._meanwhile or []:
                fresh.apply(changes, later)
            self._folder.make_current(fresh.folder)
            self._content = fresh
            former.close()

    def _opened_content(self) -> Content:
        if self._content is None:
            raise Unavailable("The insight index is closed; start the platform again.")
        return self._content

    def _snapshot(self) -> Snapshot:
        return self._opened_content().snapshot


def _timeline(snapshot: Snapshot, query: Query, span: Span, stretches: Sequence[Stretch]) -> Timeline:
    buckets = sums_of(snapshot.searcher, query.condition, stretches)
    return timeline_of(query, span, stretches, buckets, snapshot.commit)
