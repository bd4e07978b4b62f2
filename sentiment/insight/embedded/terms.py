"""Words, topics and other values: those that go with a search, are frequent in it, or begin as typed.

The term dictionary counts texts that were deleted until files are merged. It serves to choose candidates, quickly; what
is returned is counted anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from tantivy import Occur, Query, Searcher

from sentiment.insight.association import MIN_G2, Candidate, lift_of, strongest
from sentiment.insight.embedded.compiler import compile_query, term
from sentiment.insight.prefix import Prefix
from sentiment.insight.query.conditions import Condition, Everything, topics_in, words_in
from sentiment.insight.values import ALL_TIME, LABELS, Completion, FacetCount, FacetName, Term, TermKind, TimeRange

_FIELDS: Final[Mapping[TermKind, str]] = {"word": "words", "topic": "topics"}
_FACET_FIELDS: Final[Mapping[FacetName, str]] = {
    "source": "source",
    "language": "language",
    "topic": "topics",
    "author": "author",
}
#: Terms looked at, the most frequent ones in the texts found.
_MOST_TERMS: Final = 3000
_SEGMENT_TERMS: Final = 20_000
#: This many times `limit` terms are counted exactly.
_FINALISTS: Final = 2
#: An estimated term is counted exactly from this part of the significance on.
_LENIENCY: Final = 0.5
_LEAST_FACETS: Final = 1000
_MORE_COMPLETIONS: Final = 50


def count_of(searcher: Searcher, query: Query) -> int:
    """Return how many entries a query finds."""
    return int(searcher.search(query, 1, count=True).count or 0)  # type: ignore[attr-defined]  # its stub lacks it


def related_terms(searcher: Searcher, condition: Condition, limit: int, within: TimeRange) -> list[Term]:
    """Return the words and topics that go with a search, the strongest first."""
    query = compile_query(condition, within)
    hits, texts = count_of(searcher, query), count_of(searcher, compile_query(Everything(), ALL_TIME))
    candidates = _candidates(searcher, query, condition, hits, texts)
    likely = strongest(candidates, hits, texts, limit * _FINALISTS, MIN_G2 * _LENIENCY)
    counted = [_counted(searcher, query, each) for each in likely]
    return [
        Term(each.term, each.kind, each.matching, lift_of(each, hits, texts), _mean(searcher, _both(query, each)))
        for each in strongest(counted, hits, texts, limit)
    ]


def facets_of(
    searcher: Searcher, condition: Condition, name: FacetName, limit: int, within: TimeRange
) -> list[FacetCount]:
    """Return the values of a field in the texts found, the most frequent first."""
    query, field = compile_query(condition, within), _FACET_FIELDS[name]
    likely = [value for value, _ in _frequent(searcher, query, field, max(limit * _FINALISTS, _LEAST_FACETS))]
    facets = [FacetCount(value, count, mean) for value, count, mean in _exactly(searcher, query, field, likely)]
    return sorted(facets, key=lambda each: (-each.count, each.value))[:limit]


def completions_of(searcher: Searcher, prefix: Prefix, limit: int) -> list[Completion]:
    """Return the terms that begin with `prefix`, the most frequent first."""
    kinds: Sequence[TermKind] = ("topic",) if prefix.topics_only else ("word", "topic")
    if not prefix.is_begun:
        return []
    completions = [
        Completion(name, kind, count)
        for kind in kinds
        for name, _ in searcher.terms_with_prefix(_FIELDS[kind], prefix.text, limit=limit + _MORE_COMPLETIONS)
        if (count := count_of(searcher, term(_FIELDS[kind], name)))
    ]
    return sorted(completions, key=lambda each: (-each.count, each.term, each.kind))[:limit]


def _candidates(searcher: Searcher, query: Query, condition: Condition, hits: int, texts: int) -> Iterator[Candidate]:
    alive = texts / max(1, sum(searcher.doc_freq("label", label) for label in LABELS))
    excluded: dict[TermKind, set[str]] = {"word": set(words_in(condition)), "topic": set(topics_in(condition))}
    for kind, field in _FIELDS.items():
        for name, count in _frequent(searcher, query, field, _MOST_TERMS):
            if name not in excluded[kind]:
                overall = round(searcher.doc_freq(field, name) * alive)
                yield Candidate(name, kind, count, max(count, min(overall, texts - hits + count)))


def _counted(searcher: Searcher, query: Query, estimated: Candidate) -> Candidate:
    overall = count_of(searcher, term(_FIELDS[estimated.kind], estimated.term))
    return replace(estimated, matching=count_of(searcher, _both(query, estimated)), overall=overall)


def _both(query: Query, candidate: Candidate) -> Query:
    return Query.boolean_query([(Occur.Must, query), (Occur.Must, term(_FIELDS[candidate.kind], candidate.term))])


def _mean(searcher: Searcher, query: Query) -> float | None:
    mean: float | None = searcher.aggregate(query, {"mean": {"avg": {"field": "sentiment"}}})["mean"]["value"]
    return mean


def _frequent(searcher: Searcher, query: Query, field: str, most: int) -> Iterator[tuple[str, int]]:
    """Yield frequent values of a field and their numbers; of many thousands, rare ones may be left out."""
    terms = {"field": field, "size": most, "segment_size": max(most, _SEGMENT_TERMS)}
    for bucket in searcher.aggregate(query, {"terms": {"terms": terms}})["terms"]["buckets"]:
        yield bucket["key"], bucket["doc_count"]


def _exactly(
    searcher: Searcher, query: Query, field: str, values: Sequence[str]
) -> Iterator[tuple[str, int, float | None]]:
    """Yield each value that the texts found have, how many have it, and their mean sentiment."""
    terms = {"field": field, "size": max(1, len(values)), "include": list(values)}
    levels = {"terms": terms, "aggs": {"mean": {"avg": {"field": "sentiment"}}}}
    for bucket in searcher.aggregate(query, {"terms": levels})["terms"]["buckets"] if values else []:
        yield bucket["key"], bucket["doc_count"], bucket["mean"]["value"]
