"""An insight index in memory: exact and slow, the model that the contract tests compare others with."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from typing_extensions import override

from sentiment.errors import Unavailable
from sentiment.insight.association import Candidate, lift_of, strongest
from sentiment.insight.buckets import Stretch, stretches_of
from sentiment.insight.index import InsightIndex
from sentiment.insight.ordering import cursor_after, key_of, place_of
from sentiment.insight.prefix import Prefix, prefix_of
from sentiment.insight.query.conditions import topics_in, words_in
from sentiment.insight.query.matching import matches
from sentiment.insight.sums import BucketSums, Sums, comparison_of, timeline_of
from sentiment.insight.values import (
    ALL_TIME,
    UNLABELLED,
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
    TermKind,
    Timeline,
    TimelineComparison,
    TimeRange,
)
from sentiment.insight.why import Group, GroupSums, grouped


class MemoryIndex(InsightIndex):
    """Keeps every text in a dictionary and looks at all of them for each question."""

    def __init__(self) -> None:
        self._texts: dict[str, IndexedText] = {}
        self._deleted: dict[str, int] = {}
        self._position = ""
        self._meanwhile: list[tuple[Sequence[Deletion], Sequence[IndexedText], str]] | None = None
        self._name, self._commits = secrets.token_hex(4), 0
        self._lock = threading.RLock()
        self._is_open = True

    @property
    @override
    def commit(self) -> str:
        return f"{self._name}-{self._commits}"

    @property
    @override
    def position(self) -> str:
        return self._position

    @override
    def apply(self, deletions: Sequence[Deletion], texts: Sequence[IndexedText], position: str) -> None:
        with self._content():
            for text in texts:
                self._put(text)
            for deletion in deletions:
                self._delete(deletion)
            self._position, self._commits = position, self._commits + 1
            if self._meanwhile is not None:
                self._meanwhile.append((deletions, texts, position))

    @override
    def rebuild(self, texts: Iterable[IndexedText], position: str) -> None:
        with self._content():
            self._meanwhile = []
        try:
            fresh = list(texts)
        except BaseException:
            self._meanwhile = None
            raise
        with self._content():
            meanwhile, self._meanwhile = self._meanwhile, None
            self._texts, self._deleted = {}, {}
            for change in ([], fresh, position), *meanwhile:
                self.apply(*change)

    @override
    def count(self, query: Query, within: TimeRange = ALL_TIME) -> int:
        return len(self._matching(query, within))

    @override
    def extent(self, query: Query) -> TimeRange | None:
        times = [text.created_at_ms for text in self._matching(query, ALL_TIME)]
        return TimeRange(min(times), max(times) + 1) if times else None

    @override
    def timeline(self, query: Query, span: Span, now_ms: int) -> Timeline:
        stretches = stretches_of(span, now_ms)
        with self._content():
            texts = self._matching(query, TimeRange(span.from_ms, span.to_ms))
            buckets = [_sums_of_bucket(_inside(texts, stretch)) for stretch in stretches]
            return timeline_of(query, span, stretches, buckets, self.commit)

    @override
    def compare(self, queries: Sequence[Query], span: Span, now_ms: int) -> TimelineComparison:
        with self._content():
            return comparison_of([self.timeline(query, span, now_ms) for query in queries])

    @override
    def related(self, query: Query, limit: int, within: TimeRange = ALL_TIME) -> list[Term]:
        with self._content():
            all_texts, matching = list(self._texts.values()), self._matching(query, within)
        excluded = {("word", word) for word in words_in(query.condition)}
        excluded |= {("topic", topic) for topic in topics_in(query.condition)}
        overall = Counter(term for text in all_texts for term in _terms(text))
        inside = Counter(term for text in matching for term in _terms(text) if term not in excluded)
        candidates = [Candidate(term, kind, count, overall[kind, term]) for (kind, term), count in inside.items()]
        return [
            Term(
                each.term,
                each.kind,
                each.matching,
                lift_of(each, len(matching), len(all_texts)),
                _sums([text for text in matching if (each.kind, each.term) in _terms(text)]).mean,
            )
            for each in strongest(candidates, len(matching), len(all_texts), limit)
        ]

    @override
    def facets(self, query: Query, name: FacetName, limit: int, within: TimeRange = ALL_TIME) -> list[FacetCount]:
        texts: dict[str, list[IndexedText]] = {}
        for text in self._matching(query, within):
            for value in _facet_values(text, name):
                texts.setdefault(value, []).append(text)
        counted = [FacetCount(value, len(group), _sums(group).mean) for value, group in texts.items()]
        return sorted(counted, key=lambda each: (-each.count, each.value))[:limit]

    @override
    def top(
        self, query: Query, order: Order, limit: int, within: TimeRange = ALL_TIME, after: str | None = None
    ) -> IdPage:
        place = place_of(after)
        with self._content():
            matching, commit = self._matching(query, within), self.commit
        places = [(key, text.id) for text in matching if (key := key_of(text, order)) is not None]
        listed = sorted((each for each in places if place is None or each < place), reverse=True)
        page = listed[:limit]
        following = cursor_after(*page[-1]) if len(listed) > limit else None
        return IdPage(tuple(text_id for _, text_id in page), following, commit)

    @override
    def groups(self, query: Query, within: TimeRange = ALL_TIME, topics: int = 200) -> Mapping[Group, GroupSums]:
        scored = [text for text in self._matching(query, within) if text.sentiment is not None]
        counts = Counter(topic for text in self._matching(query, within) for topic in set(text.topics))
        frequent = set(sorted(counts, key=lambda topic: (-counts[topic], topic))[:topics])
        return grouped(
            named=[
                ((topic, text.model_version), _group_sums(text, 1 / len(set(text.topics))))
                for text in scored
                for topic in set(text.topics) & frequent
            ],
            without=[(text.model_version, _group_sums(text)) for text in scored if not text.topics],
            every=[(text.model_version, _group_sums(text)) for text in scored],
        )

    @override
    def complete(self, prefix: str, limit: int) -> list[Completion]:
        start = prefix_of(prefix)
        with self._content():
            counts = Counter(term for text in self._texts.values() for term in _terms(text) if _begins(term, start))
        completions = [Completion(term, kind, count) for (kind, term), count in counts.items()]
        return sorted(completions, key=lambda each: (-each.count, each.term, each.kind))[:limit]

    @override
    def close(self) -> None:
        self._is_open = False

    @contextmanager
    def _content(self) -> Iterator[None]:
        with self._lock:
            if not self._is_open:
                raise Unavailable("The insight index is closed; start the platform again.")
            yield

    def _put(self, text: IndexedText) -> None:
        former = self._texts.get(text.id)
        if (former is None or former.revision <= text.revision) and self._deleted.get(text.id, -1) < text.revision:
            self._texts[text.id] = text

    def _delete(self, deletion: Deletion) -> None:
        self._deleted[deletion.id] = max(deletion.revision, self._deleted.get(deletion.id, -1))
        former = self._texts.get(deletion.id)
        if former is not None and former.revision <= deletion.revision:
            del self._texts[deletion.id]

    def _matching(self, query: Query, within: TimeRange) -> list[IndexedText]:
        with self._content():
            texts = list(self._texts.values())
        return [text for text in texts if _is_within(text, within) and matches(query.condition, text)]


def _group_sums(text: IndexedText, weight: float = 1.0) -> GroupSums:
    tone = text.sentiment or 0.0
    return GroupSums(weight, weight * tone, weight * tone * tone)


def _facet_values(text: IndexedText, name: FacetName) -> set[str]:
    if name == "topic":
        return {*text.topics}
    value = {"source": text.source, "language": text.language, "author": text.author_key}[name]
    return set() if value is None else {value}


def _is_within(text: IndexedText, within: TimeRange) -> bool:
    return (within.from_ms is None or within.from_ms <= text.created_at_ms) and (
        within.to_ms is None or text.created_at_ms < within.to_ms
    )


def _inside(texts: Sequence[IndexedText], stretch: Stretch) -> list[IndexedText]:
    return [text for text in texts if stretch.from_ms <= text.created_at_ms < stretch.to_ms]


def _sums(texts: Sequence[IndexedText]) -> Sums:
    scores = [text.sentiment for text in texts if text.sentiment is not None]
    return Sums(len(texts), len(scores), sum(scores), sum(score * score for score in scores))


def _sums_of_bucket(texts: Sequence[IndexedText]) -> BucketSums:
    labels = Counter(text.label or UNLABELLED for text in texts)
    versions = {text.model_version for text in texts if text.model_version is not None}
    return BucketSums(
        _sums(texts),
        dict(labels),
        {str(each): _sums([text for text in texts if text.model_version == each]) for each in versions},
    )


def _terms(text: IndexedText) -> set[tuple[TermKind, str]]:
    words: set[tuple[TermKind, str]] = {("word", word) for word in text.words}
    return words | {("topic", topic) for topic in text.topics}


def _begins(term: tuple[TermKind, str], prefix: Prefix) -> bool:
    return prefix.is_begun and term[1].startswith(prefix.text) and (term[0] == "topic" or not prefix.topics_only)
