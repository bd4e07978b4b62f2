"""Adds up the texts found by topic and model version, a text of k topics with 1/k in each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tantivy import Searcher

from sentiment.insight.embedded.compiler import compile_query
from sentiment.insight.embedded.schema import label_and_version
from sentiment.insight.query.conditions import Condition
from sentiment.insight.values import TimeRange
from sentiment.insight.why import Group, GroupSums, grouped

#: A text has at most twenty topics of its author's, and hashtags.
_MOST_TOPIC_COUNTS: Final = 100
_MOST_GROUPS: Final = 1000

_SUMS: Final[dict[str, Any]] = {"sums": {"extended_stats": {"field": "sentiment"}}}
_BY_COUNT: Final = {"counts": {"terms": {"field": "topic_count", "size": _MOST_TOPIC_COUNTS}, "aggs": _SUMS}}
_BY_VERSION: Final = {"groups": {"terms": {"field": "group", "size": _MOST_GROUPS}, "aggs": _BY_COUNT}}


def groups_of(searcher: Searcher, condition: Condition, within: TimeRange, topics: int) -> Mapping[Group, GroupSums]:
    """Return the sums of the most frequent `topics`, and of all others together."""
    query = compile_query(condition, within)
    levels = {"topics": {"terms": {"field": "topics", "size": topics}, "aggs": _BY_VERSION}}
    named = [
        ((bucket["key"], version), _weighted(sums, 1 / count))
        for bucket in searcher.aggregate(query, levels)["topics"]["buckets"]
        for version, count, sums in _rows(bucket)
    ]
    every = list(_rows(searcher.aggregate(query, _BY_VERSION)))
    return grouped(
        named=named,
        without=[(version, _weighted(sums, 1.0)) for version, count, sums in every if count == 0],
        every=[(version, _weighted(sums, 1.0)) for version, _, sums in every],
    )


def _rows(answer: Mapping[str, Any]) -> Iterator[tuple[int | None, int, Mapping[str, Any]]]:
    """Yield model version, number of topics, and sums."""
    for group in answer["groups"]["buckets"]:
        _, version = label_and_version(group["key"])
        for bucket in group["counts"]["buckets"]:
            yield int(version) if version else None, int(bucket["key"]), bucket["sums"]


def _weighted(sums: Mapping[str, Any], weight: float) -> GroupSums:
    scored = sums["count"]
    return GroupSums(scored * weight, (sums["sum"] or 0.0) * weight, (sums["sum_of_squares"] or 0.0) * weight)
