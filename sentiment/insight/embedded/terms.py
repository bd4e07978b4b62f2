"""Words and topics: those that go with a search, and those that begin as typed.

The term dictionary counts texts that were deleted until files are merged. It serves to choose candidates, quickly; what
is returned is counted anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tantivy import Query, Searcher

from sentiment.insight.association import MIN_G2, Candidate, lift_of, strongest
from sentiment.insight.embedded.compiler import compile_query, term
from sentiment.insight.prefix import Prefix
from sentiment.insight.query.conditions import Condition, Everything, topics_in, words_in
from sentiment.insight.values import ALL_TIME, LABELS, Completion, Term, TermKind, TimeRange

_FIELDS: Final[Mapping[TermKind, str]] = {"word": "words", "topic": "topics"}
#: Terms looked at, the most frequent ones in the texts found.
_MOST_TERMS: Final = 3000
_SEGMENT_TERMS: Final = 20_000
#: So many times the terms asked for are counted anew.
_FINALISTS: Final = 4
#: So much of the significance that counts makes a finalist, whose numbers are estimated.
_LENIENCY: Final = 0.5
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
    counted, means = _counted(searcher, query, likely)
    return [
        Term(each.term, each.kind, each.found, lift_of(each, hits, texts), means[each.kind, each.term])
        for each in strongest(counted, hits, texts, limit)
    ]


def completions_of(searcher: Searcher, begun: Prefix, limit: int) -> list[Completion]:
    """Return the terms that begin so, the most frequent first."""
    kinds: Sequence[TermKind] = ("topic",) if begun.topics_only else ("word", "topic")
    if not begun.is_begun:
        return []
    found = [
        Completion(name, kind, count)
        for kind in kinds
        for name, _ in searcher.terms_with_prefix(_FIELDS[kind], begun.text, limit=limit + _MORE_COMPLETIONS)
        if (count := count_of(searcher, term(_FIELDS[kind], name)))
    ]
    return sorted(found, key=lambda each: (-each.count, each.term, each.kind))[:limit]


def _candidates(searcher: Searcher, query: Query, condition: Condition, hits: int, texts: int) -> Iterator[Candidate]:
    alive = texts / max(1, sum(searcher.doc_freq("label", label) for label in LABELS))
    left_out: dict[TermKind, set[str]] = {"word": set(words_in(condition)), "topic": set(topics_in(condition))}
    for kind, field in _FIELDS.items():
        terms = {"field": field, "size": _MOST_TERMS, "segment_size": _SEGMENT_TERMS}
        for bucket in searcher.aggregate(query, {"terms": {"terms": terms}})["terms"]["buckets"]:
            name, found = bucket["key"], bucket["doc_count"]
            if name not in left_out[kind]:
                overall = round(searcher.doc_freq(field, name) * alive)
                yield Candidate(name, kind, found, max(found, min(overall, texts - hits + found)))


def _counted(
    searcher: Searcher, query: Query, likely: Sequence[Candidate]
) -> tuple[list[Candidate], dict[tuple[TermKind, str], float | None]]:
    """Return candidates with exact numbers, and the mean sentiment of the texts found that have each."""
    candidates, means = [], {}
    for kind, field in _FIELDS.items():
        names = [each.term for each in likely if each.kind == kind]
        terms = {"field": field, "size": max(1, len(names)), "include": names}
        levels = {"terms": terms, "aggs": {"mean": {"avg": {"field": "sentiment"}}}}
        for bucket in searcher.aggregate(query, {"terms": levels})["terms"]["buckets"] if names else []:
            name = bucket["key"]
            candidates.append(Candidate(name, kind, bucket["doc_count"], count_of(searcher, term(field, name))))
            means[kind, name] = bucket["mean"]["value"]
    return candidates, means
