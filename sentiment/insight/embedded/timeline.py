"""Adds up the texts found, bucket by bucket, in one pass over them.

Label and version are one field, `group`, whose few values are the outer level: a histogram in each costs a third of
groups in each bucket. Histograms have buckets of one width, so a span is asked for in runs of equal buckets: between
two changes of the clocks, days are equal. Months are not, and are asked for as ranges, which cost more each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from tantivy import Searcher

from sentiment.insight.buckets import Stretch
from sentiment.insight.embedded.compiler import compile_query
from sentiment.insight.embedded.schema import label_and_version
from sentiment.insight.query.conditions import Condition
from sentiment.insight.sums import BucketSums, Sums, bucket_of_groups
from sentiment.insight.values import TimeRange

#: tantivy refuses an answer of more than 65,000 buckets, those of all levels together.
_MOST_BUCKETS: Final = 60_000
#: Above so many runs, ranges cost less than a question for each.
_MOST_RUNS: Final = 20

_SUMS: Final = {"sums": {"extended_stats": {"field": "sentiment"}}}
#: The label, version and sums of the groups in each bucket, by the bucket's beginning.
_SumsByBegin = dict[int, list[tuple[str, str, Sums]]]


def sums_of(searcher: Searcher, condition: Condition, stretches: Sequence[Stretch]) -> list[BucketSums]:
    """Return what the texts found add up to within each stretch."""
    groups = len(searcher.terms_with_prefix("group", ""))
    runs = [list(run) for _, run in groupby(stretches, key=lambda stretch: stretch.to_ms - stretch.from_ms)]
    by_range = len(runs) > _MOST_RUNS
    sums: _SumsByBegin = {}
    for run in [list(stretches)] if by_range else runs:
        for part in _parts(run, max(1, _MOST_BUCKETS // (groups + 1))):
            _ask(searcher, condition, part, _ranges(part) if by_range else _histogram(part), sums)
    return [bucket_of_groups(sums.get(stretch.from_ms, ())) for stretch in stretches]


def _parts(stretches: list[Stretch], size: int) -> Iterator[list[Stretch]]:
    for begin in range(0, len(stretches), size):
        yield stretches[begin : begin + size]


def _histogram(part: list[Stretch]) -> dict[str, Any]:
    width_ms = part[0].to_ms - part[0].from_ms
    return {
        "histogram": {"field": "time", "interval": width_ms, "offset": part[0].from_ms % width_ms, "min_doc_count": 1}
    }


def _ranges(part: list[Stretch]) -> dict[str, Any]:
    return {"range": {"field": "time", "ranges": [{"from": each.from_ms, "to": each.to_ms} for each in part]}}


def _ask(
    searcher: Searcher, condition: Condition, part: list[Stretch], buckets: dict[str, Any], sums_by_begin: _SumsByBegin
) -> None:
    query = compile_query(condition, TimeRange(part[0].from_ms, part[-1].to_ms))
    levels = {"terms": {"field": "group", "size": _MOST_BUCKETS}, "aggs": {"buckets": buckets | {"aggs": _SUMS}}}
    for group in searcher.aggregate(query, {"groups": levels})["groups"]["buckets"]:
        label, version = label_and_version(group["key"])
        for bucket in group["buckets"]["buckets"]:
            if count := bucket["doc_count"]:
                stats = bucket["sums"]
                sums = Sums(count, stats["count"], stats["sum"] or 0.0, stats["sum_of_squares"] or 0.0)
                sums_by_begin.setdefault(int(bucket.get("from", bucket["key"])), []).append((label, version, sums))
