"""Answers questions from the insight index, as the JSON that the API gives; knows neither HTTP nor Ray.

An answer is kept for the index's present commit, so that many viewers of one page ask the index once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from sentiment.insight.buckets import outward
from sentiment.insight.index import InsightIndex
from sentiment.insight.values import Point, Query, Span, Timeline, TimeRange
from serve_app.insight.search import Question, Search
from serve_app.insight.why_answer import why_answer

_DIGITS: Final = 6
_KEPT_ANSWERS: Final = 200
_MINUTE_MS: Final = 60_000
#: What is shown where there are no texts at all: a week up to now.
_NO_TEXTS_MS: Final = 7 * 24 * 3_600_000

Answer = dict[str, Any]
_Key = tuple[str, int, Question, Search]


class InsightService:
    """Answers from the index that `index` returns. Safe for many threads.

    `parse` reads a search, `now_ms` is the clock; `index` and `parse` raise what is told to the caller.
    """

    def __init__(
        self, index: Callable[[], InsightIndex], parse: Callable[[str], Query], now_ms: Callable[[], int]
    ) -> None:
        self._index = index
        self._parse = parse
        self._now_ms = now_ms
        self._kept: OrderedDict[_Key, Answer] = OrderedDict()
        self._lock = threading.Lock()
        self._answers: Mapping[Question, Callable[[InsightIndex, Search], Answer]] = {
            Question.TIMELINE: self._timeline,
            Question.COMPARE: self._compare,
            Question.RELATED: self._related,
            Question.TOP: self._top,
            Question.COMPLETE: self._complete,
            Question.WHY: self._why,
        }

    def answer(self, question: Question, search: Search) -> Answer:
        """Return the answer to a question.

        Raises:
            InvalidInput: a parameter is wrong; names it.
            Unavailable: the index is not ready.
        """
        index = self._index()
        # With the minute: the bucket that is not over yet is partial, until it is.
        key = index.commit, self._now_ms() // _MINUTE_MS, question, search
        with self._lock:
            if kept := self._kept.get(key):
                self._kept.move_to_end(key)
                return kept
        answer = self._answers[question](index, search)
        with self._lock:
            self._kept[key] = answer
            if len(self._kept) > _KEPT_ANSWERS:
                self._kept.popitem(last=False)
        return answer

    def _timeline(self, index: InsightIndex, search: Search) -> Answer:
        query = self._parse(search.queries[0])
        span = self._span(index, search, [query])
        return _timeline_out(index.timeline(query, span, self._now_ms()), span)

    def _compare(self, index: InsightIndex, search: Search) -> Answer:
        queries = [self._parse(query) for query in search.queries]
        span = self._span(index, search, queries)
        compared = index.compare(queries, span, self._now_ms())
        return {
            "series": [_timeline_out(timeline, span) for timeline in compared.series],
            "share": [_rounded(share) for share in compared.shares],
            "commit": compared.series[0].commit,
        }

    def _related(self, index: InsightIndex, search: Search) -> Answer:
        query = self._parse(search.queries[0])
        commit = index.commit
        terms = index.related(query, search.limit, TimeRange(search.from_ms, search.to_ms))
        told = [asdict(term) | {"lift": _rounded(term.lift), "sentiment": _rounded(term.sentiment)} for term in terms]
        return {"query": query.text, "terms": told, "commit": commit}

    def _top(self, index: InsightIndex, search: Search) -> Answer:
        query = self._parse(search.queries[0])
        within = TimeRange(search.from_ms, search.to_ms)
        page = index.top(query, search.order, search.limit, within, search.after)
        return {"query": query.text, "ids": list(page.ids), "next": page.next_cursor, "commit": page.commit}

    def _complete(self, index: InsightIndex, search: Search) -> Answer:
        commit = index.commit
        found = index.complete(search.queries[0], search.limit)
        return {"terms": [asdict(completion) for completion in found], "commit": commit}

    def _why(self, index: InsightIndex, search: Search) -> Answer:
        return why_answer(index, self._parse(search.queries[0]), search.spans, dict(search.offsets), self._now_ms)

    def _span(self, index: InsightIndex, search: Search, queries: Sequence[Query]) -> Span:
        """Return the span asked for; an end that is left out is the bucket of the first, or the last, text found."""
        open_from, open_to = search.from_ms is None, search.to_ms is None
        first_ms, last_ms = self._extent(index, queries) if open_from or open_to else (0, 0)
        from_ms = first_ms if search.from_ms is None else search.from_ms
        to_ms = last_ms if search.to_ms is None else search.to_ms
        if from_ms >= to_ms and open_from:
            from_ms = to_ms - 1
        elif from_ms >= to_ms and open_to:
            to_ms = from_ms + 1
        return outward(Span(from_ms, to_ms, search.bucket, search.tz), beginning=open_from, end=open_to)

    def _extent(self, index: InsightIndex, queries: Sequence[Query]) -> tuple[int, int]:
        found = [extent for query in queries if (extent := index.extent(query))]
        firsts = [extent.from_ms for extent in found if extent.from_ms is not None]
        lasts = [extent.to_ms for extent in found if extent.to_ms is not None]
        now_ms = self._now_ms()
        return min(firsts, default=now_ms - _NO_TEXTS_MS), max(lasts, default=now_ms)


def _timeline_out(timeline: Timeline, span: Span) -> Answer:
    return {
        "query": timeline.query,
        "total": timeline.total,
        "sentiment": _rounded(timeline.sentiment),
        "low": _rounded(timeline.low),
        "high": _rounded(timeline.high),
        "from_ms": span.from_ms,
        "to_ms": span.to_ms,
        "bucket": timeline.bucket,
        "tz": timeline.tz,
        "points": [_point_out(point) for point in timeline.points],
        "commit": timeline.commit,
    }


def _point_out(point: Point) -> Answer:
    return {
        "from_ms": point.from_ms,
        "to_ms": point.to_ms,
        "count": point.count,
        "sentiment": _rounded(point.sentiment),
        "low": _rounded(point.low),
        "high": _rounded(point.high),
        "labels": dict(point.labels),
        "versions": {
            version: {"count": mean.count, "sentiment": _rounded(mean.sentiment)}
            for version, mean in point.versions.items()
        },
        "partial": point.partial,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
