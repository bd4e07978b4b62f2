"""The answer to *why did it move?*: two spans of a search, the parts of the change, and what drove each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from sentiment.errors import InvalidInput
from sentiment.insight.index import InsightIndex
from sentiment.insight.query.conditions import AllOf, Condition, Everything, FieldIs
from sentiment.insight.values import Order, Query, TimeRange
from sentiment.insight.why import OTHER_TOPICS, Driver, SpanSums, ToneChange, sentence, split_change

_DAY_MS: Final = 24 * 3_600_000
_DRIVERS: Final = 10
_ILLUSTRATED: Final = 3
_WORDS: Final = 5
_TEXTS: Final = 3
_DIGITS: Final = 6

Spans = tuple[tuple[int, int], tuple[int, int]]


def why_answer(
    index: InsightIndex, query: Query, spans: Spans, offsets: dict[int, float], now_ms: Callable[[], int]
) -> dict[str, Any]:
    """Return the parts of the change between two spans; those of an empty span are null, with a sentence that says so.

    Raises:
        InvalidInput: a span ends before it begins, or lies in the future (`before`, `after`).
    """
    commit = index.commit
    before, after = (
        _span_sums(index, query, span, field, now_ms()) for span, field in zip(spans, ("before", "after"), strict=True)
    )
    change = split_change(before, after, offsets)
    answer = {"query": query.text, "by": "topic", "before": _side(spans[0], before), "after": _side(spans[1], after)}
    if change is None:
        return {**answer, **_no_verdict(before), "commit": commit}
    parts = {name: round(getattr(change, name), 12) for name in ("mix", "inside", "model", "volume")}
    return {
        **answer,
        "change": sum(parts.values()),
        "tone_change": round(change.tone_change, _DIGITS),
        "low": round(change.low, _DIGITS),
        "high": round(change.high, _DIGITS),
        "parts": parts,
        "offsets_known": sorted(version for version in offsets if version in _versions(before, after)),
        "drivers": _drivers(index, query, change, TimeRange(*spans[1])),
        "sentence": sentence(query.text, change),
        "commit": commit,
    }


def _span_sums(index: InsightIndex, query: Query, span: tuple[int, int], field: str, now_ms: int) -> SpanSums:
    begin, end = span
    if begin >= end:
        raise InvalidInput(f"{field}: ends before it has begun; write FROM/TO, with TO after FROM", field)
    if begin >= now_ms:
        raise InvalidInput(f"{field}: lies in the future; take a span that has begun", field)
    return SpanSums((min(end, now_ms) - begin) / _DAY_MS, index.groups(query, TimeRange(begin, end)))


def _side(span: tuple[int, int], sums: SpanSums) -> dict[str, Any]:
    return {"from_ms": span[0], "to_ms": span[1], "count": round(sums.all.weight), "sentiment": _short(sums.all.mean)}


def _no_verdict(before: SpanSums) -> dict[str, Any]:
    which = "the first span" if not before.groups else "the second span"
    nothing = dict.fromkeys(("change", "tone_change", "low", "high", "parts"))
    return {**nothing, "offsets_known": [], "drivers": [], "sentence": f"There is no labelled text in {which}."}


def _versions(*spans: SpanSums) -> set[int]:
    return {version for span in spans for _, version in span.groups if version is not None}


def _drivers(index: InsightIndex, query: Query, change: ToneChange, within: TimeRange) -> list[dict[str, Any]]:
    return [
        _driver_out(index, query, driver, within, illustrated=number < _ILLUSTRATED)
        for number, driver in enumerate(change.drivers[:_DRIVERS])
    ]


def _driver_out(
    index: InsightIndex, query: Query, driver: Driver, within: TimeRange, *, illustrated: bool
) -> dict[str, Any]:
    figures = {name: None if value is None else _short(value) for name, value in asdict(driver).items()}
    if not illustrated or driver.topic in (None, OTHER_TOPICS):
        return {**figures, "words": [], "ids": []}
    order: Order = "positive" if driver.change > 0 else "negative"
    narrowed = Query(query.text, _narrowed(query.condition, str(driver.topic)))
    words = [term.term for term in index.related(narrowed, _WORDS, within)]
    return {**figures, "words": words, "ids": list(index.top(narrowed, order, _TEXTS, within).ids)}


def _narrowed(condition: Condition, topic: str) -> Condition:
    about = FieldIs("topic", topic)
    if isinstance(condition, Everything):
        return about
    parts = condition.parts if isinstance(condition, AllOf) else (condition,)
    return AllOf((*parts, about))


def _short(value: Any) -> Any:
    return round(value, _DIGITS) if isinstance(value, float) else value
