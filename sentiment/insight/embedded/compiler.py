"""Turns conditions into tantivy's queries, so that they find exactly what `matching.matches` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tantivy import FieldType, Occur, Query

from sentiment.insight.embedded.schema import DELETED, POSITION, SCHEMA
from sentiment.insight.query.conditions import (
    AllOf,
    AnyOf,
    Condition,
    Everything,
    FieldIs,
    FieldName,
    Near,
    Not,
    Phrase,
    Tone,
)
from sentiment.insight.values import TimeRange

_FIELDS: Final[Mapping[FieldName, str]] = {
    "label": "label",
    "lang": "language",
    "source": "source",
    "author": "author",
    "version": "version",
    "topic": "topics",
}
_INT64: Final = 2**63


def compile_query(condition: Condition, within: TimeRange) -> Query:
    """Return the query for the texts that meet `condition` and were written within a time."""
    parts = condition.parts if isinstance(condition, AllOf) else (condition,)
    required = [_range(within)] if within.from_ms is not None or within.to_ms is not None else []
    return _all_of(parts, required)


def term(field: str, value: str) -> Query:
    """Return the query for entries whose field has that value."""
    return Query.term_query(SCHEMA, field, value, "basic")


def below(field: str, end: int) -> Query:
    """Return the query for entries whose whole number is less than `end`, or equal to it."""
    return Query.range_query(SCHEMA, field, FieldType.Integer, None, end)


def _range(within: TimeRange) -> Query:
    upper = _int64(within.to_ms)
    return Query.range_query(
        SCHEMA, "time", FieldType.Integer, _int64(within.from_ms), upper, include_upper=upper is None
    )


def _int64(at_ms: int | None) -> int | None:
    return None if at_ms is None else max(-_INT64, min(_INT64 - 1, at_ms))


def _compiled(condition: Condition) -> Query:
    if isinstance(condition, AnyOf):
        return Query.boolean_query([(Occur.Should, _compiled(part)) for part in condition.parts])
    if isinstance(condition, AllOf):
        return _all_of(condition.parts, [])
    if isinstance(condition, Not | Everything):
        return _all_of((condition,), [])
    if isinstance(condition, FieldIs):
        return term(_FIELDS[condition.name], condition.value)
    return _tone(condition) if isinstance(condition, Tone) else _words(condition)


def _all_of(parts: tuple[Condition, ...], required: list[Query]) -> Query:
    """Join parts: those that are excluded need something that they are excluded from."""
    included = [_compiled(part) for part in parts if not isinstance(part, Not | Everything)]
    excluded = [_compiled(part.part) for part in parts if isinstance(part, Not)]
    if not included:  # entries without a text must not be taken for texts
        included = [] if required else [Query.all_query()]
        excluded += [term("state", DELETED), term("state", POSITION)]
    clauses = [(Occur.Must, query) for query in (*included, *required)] + [(Occur.MustNot, query) for query in excluded]
    return clauses[0][1] if len(clauses) == 1 else Query.boolean_query(clauses)


def _tone(tone: Tone) -> Query:
    is_included = tone.comparison.endswith("=")
    if tone.comparison[0] == "<":
        return Query.range_query(
            SCHEMA, "sentiment", FieldType.Float, upper_bound=tone.bound, include_upper=is_included
        )
    return Query.range_query(SCHEMA, "sentiment", FieldType.Float, lower_bound=tone.bound, include_lower=is_included)


def _words(condition: Phrase | Near) -> Query:
    if isinstance(condition, Near):
        return Query.boolean_query([(Occur.Should, query) for query in _near(condition)])
    return _phrase([(place, word) for place, word in enumerate(condition.words)])


def _phrase(words: list[tuple[int, str]]) -> Query:
    if len(words) == 1:
        return term("words", words[0][1])
    return Query.phrase_query(SCHEMA, "words", list(words))


def _near(near: Near) -> Iterator[Query]:
    for left in near.left:
        for right in near.right:
            yield from _pair(near.distance, left.words, right.words)
            yield from _pair(near.distance, right.words, left.words)


def _pair(distance: int, first: tuple[str, ...], second: tuple[str, ...]) -> Iterator[Query]:
    """Yield queries for `first` before `second`.

    For two different words tantivy's slop does: it also finds the other order a little less far apart, which the
    other pair finds anyway. Of equal words it would take one for both, and it would stretch a phrase, so these are
    written out gap by gap.
    """
    if len(first) == len(second) == 1 and first != second:
        yield Query.phrase_query(SCHEMA, "words", [first[0], second[0]], distance - 1)
        return
    for gap in range(distance):
        begin = len(first) + gap
        yield _phrase([*enumerate(first), *((begin + place, word) for place, word in enumerate(second))])
