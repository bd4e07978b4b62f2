"""Answers questions from the insight index, as the JSON that the API gives; knows neither HTTP nor Ray.

An answer is kept while the index's commit is the present one, so that many viewers of one page ask the index once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from pydantic_core import to_json

from sentiment.insight.buckets import MAX_POINTS, WIDTH_MS, outward
from sentiment.insight.index import InsightIndex
from sentiment.insight.values import IdPage, Point, Query, Span, Timeline, TimeRange
from serve_app.insight.search import InsightAnswer, Question, Search
from serve_app.insight.why_answer import why_answer

_DIGITS: Final = 6
#: Size of all cached answers together.
_CACHE_BYTES: Final = 16 * 2**20
_MINUTE_MS: Final = 60_000
#: A text may be written a little ahead of this machine's clock.
_AHEAD_MS: Final = 10 * _MINUTE_MS
#: What is shown where there are no texts at all: a week up to now.
_NO_TEXTS_MS: Final = 7 * 24 * 3_600_000
#: How far a timeline of texts that all lie in the future goes.
_LONGEST_FUTURE_MS: Final = 50 * 365 * 24 * 3_600_000

#: Returns the marks between two times (ms since 1970): moments at which what is measured changed.
ReadMarks = Callable[[int, int], list[dict[str, Any]]]
_Json = dict[str, Any]
_Moment = tuple[str, int]


class InsightService:
    """Answers from the index that `index` returns. Safe for many threads.

    `parse` reads a search, `now_ms` is the clock. Errors of `index` and `parse` go on to the caller.
    """

    def __init__(
        self,
        index: Callable[[], InsightIndex],
        parse: Callable[[str], Query],
        marks: ReadMarks,
        now_ms: Callable[[], int],
    ) -> None:
        self._index = index
        self._parse = parse
        self._marks = marks
        self._now_ms = now_ms
        self._cache = InsightAnswerCache(_CACHE_BYTES)
        self._answers: Mapping[Question, Callable[[InsightIndex, Search], _Json]] = {
            Question.TIMELINE: self._timeline,
            Question.COMPARE: self._compare,
            Question.RELATED: self._related,
            Question.FACETS: self._facets,
            Question.COMPLETE: self._complete,
        }

    def answer(self, question: Question, search: Search) -> InsightAnswer:
        """Return the answer to a question.

        Raises:
            InvalidInput: a parameter is wrong; names it.
            Unavailable: the index is not ready.
        """
        index = self._index()
        # With the minute: the bucket that is not over yet is partial, until it is.
        moment = index.commit, self._now_ms() // _MINUTE_MS
        answer = self._cache.get(moment, (question, search))
        if answer is None:
            content = self._answers[question](index, search)
            answer = InsightAnswer(content["commit"], to_json(content))
            self._cache.put(moment, (question, search), answer)
        return answer

    def top(self, search: Search) -> IdPage:
        """Return a page of the ids of the texts found.

        Raises:
            InvalidInput: a parameter is wrong; names it.
            Unavailable: the index is not ready.
        """
        query = self._parse(search.queries[0])
        within = TimeRange(search.from_ms, search.to_ms)
        return self._index().top(query, search.order, search.limit, within, search.after)

    def why(self, search: Search) -> _Json:
        """Return why a search's tone moved between two spans; its drivers name texts by their ids.

        Raises:
            InvalidInput: a parameter is wrong; names it.
            Unavailable: the index is not ready.
        """
        query = self._parse(search.queries[0])
        return why_answer(self._index(), query, search.spans, dict(search.offsets), self._now_ms)

    def _timeline(self, index: InsightIndex, search: Search) -> _Json:
        query = self._parse(search.queries[0])
        span = self._span(index, search, [query])
        return self._with_marks(index.timeline(query, span, self._now_ms()), span)

    def _compare(self, index: InsightIndex, search: Search) -> _Json:
        queries = [self._parse(query) for query in search.queries]
        span = self._span(index, search, queries)
        compared = index.compare(queries, span, self._now_ms())
        return {
            "series": [self._with_marks(timeline, span) for timeline in compared.series],
            "share": [_rounded(share) for share in compared.shares],
            "commit": compared.series[0].commit,
        }

    def _related(self, index: InsightIndex, search: Search) -> _Json:
        query = self._parse(search.queries[0])
        commit = index.commit
        terms = index.related(query, search.limit, TimeRange(search.from_ms, search.to_ms))
        rows = [asdict(term) | {"lift": _rounded(term.lift), "sentiment": _rounded(term.sentiment)} for term in terms]
        return {"query": query.text, "terms": rows, "commit": commit}

    def _facets(self, index: InsightIndex, search: Search) -> _Json:
        query = self._parse(search.queries[0])
        commit = index.commit
        counts = index.facets(query, search.by, search.limit, TimeRange(search.from_ms, search.to_ms))
        rows = [asdict(each) | {"sentiment": _rounded(each.sentiment)} for each in counts]
        return {"query": query.text, "by": search.by, "facets": rows, "commit": commit}

    def _complete(self, index: InsightIndex, search: Search) -> _Json:
        commit = index.commit
        completions = index.complete(search.queries[0], search.limit)
        return {"terms": [asdict(completion) for completion in completions], "commit": commit}

    def _with_marks(self, timeline: Timeline, span: Span) -> _Json:
        return _timeline_out(timeline, span) | {"marks": self._marks(span.from_ms, span.to_ms)}

    def _span(self, index: InsightIndex, search: Search, queries: Sequence[Query]) -> Span:
        """Return the span asked for; an end that is left out is the bucket of the first, or the last, text found.

        Texts of a far past or future, which a client may send, do not stretch it: it ends soon after the present, and
        begins no more points before its end than a timeline can have.
        """
        open_from, open_to = search.from_ms is None, search.to_ms is None
        first_ms, last_ms = self._extent(index, queries) if open_from or open_to else (0, 0)
        from_ms = first_ms if search.from_ms is None else search.from_ms
        to_ms = last_ms if search.to_ms is None else search.to_ms
        if open_from:
            from_ms = max(from_ms, to_ms - WIDTH_MS[search.bucket or "month"] * (MAX_POINTS - 2))
        if from_ms >= to_ms and open_from:
            from_ms = to_ms - 1
        elif from_ms >= to_ms and open_to:
            to_ms = from_ms + 1
        return outward(Span(from_ms, to_ms, search.bucket, search.tz), beginning=open_from, end=open_to)

    def _extent(self, index: InsightIndex, queries: Sequence[Query]) -> tuple[int, int]:
        extents = [extent for query in queries if (extent := index.extent(query))]
        firsts = [extent.from_ms for extent in extents if extent.from_ms is not None]
        lasts = [extent.to_ms for extent in extents if extent.to_ms is not None]
        now_ms = self._now_ms()
        first_ms, last_ms = min(firsts, default=now_ms - _NO_TEXTS_MS), max(lasts, default=now_ms)
        latest_ms = now_ms + (_AHEAD_MS if first_ms <= now_ms + _AHEAD_MS else _LONGEST_FUTURE_MS)
        return min(first_ms, latest_ms), min(last_ms, latest_ms)


class InsightAnswerCache:
    """Answers of one moment, up to so many bytes; those of an earlier one are dropped. Safe for many threads."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._moment: _Moment | None = None
        self._answers: OrderedDict[tuple[Question, Search], InsightAnswer] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, moment: _Moment, key: tuple[Question, Search]) -> InsightAnswer | None:
        """Return the answer of the same moment to the same question, None if there is none."""
        with self._lock:
            answer = self._answers.get(key) if moment == self._moment else None
            if answer is not None:
                self._answers.move_to_end(key)
            return answer

    def put(self, moment: _Moment, key: tuple[Question, Search], answer: InsightAnswer) -> None:
        """Keep an answer; the answers that were asked for longest ago make room for it."""
        with self._lock:
            if moment != self._moment:
                self._moment, self._bytes = moment, 0
                self._answers.clear()
            former = self._answers.pop(key, None)
            self._answers[key] = answer
            self._bytes += len(answer.body) - (len(former.body) if former else 0)
            while self._bytes > self._most_bytes:
                self._bytes -= len(self._answers.popitem(last=False)[1].body)


def _timeline_out(timeline: Timeline, span: Span) -> _Json:
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


def _point_out(point: Point) -> _Json:
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
