"""Whether one text meets a condition: what the compiled queries of every index must agree with."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Final

from sentiment.insight.query.conditions import (
    AllOf,
    AnyOf,
    Comparator,
    Condition,
    FieldIs,
    FieldName,
    Near,
    Not,
    Phrase,
    Tone,
)
from sentiment.insight.values import UNLABELLED, IndexedText

_COMPARE: Final[Mapping[Comparator, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def matches(condition: Condition, text: IndexedText) -> bool:
    """Return whether `text` meets `condition`."""
    if isinstance(condition, AllOf):
        return all(matches(part, text) for part in condition.parts)
    if isinstance(condition, AnyOf):
        return any(matches(part, text) for part in condition.parts)
    if isinstance(condition, Not):
        return not matches(condition.part, text)
    return _matches_one(condition, text)


def _matches_one(condition: Condition, text: IndexedText) -> bool:
    if isinstance(condition, Phrase):
        return bool(_starts(condition, text.words))
    if isinstance(condition, Near):
        return _is_near(condition, text.words)
    if isinstance(condition, FieldIs):
        return condition.value in _values(text, condition.name)
    if isinstance(condition, Tone):
        return text.sentiment is not None and _COMPARE[condition.comparison](text.sentiment, condition.bound)
    return True


def _starts(phrase: Phrase, words: tuple[str, ...]) -> list[int]:
    length = len(phrase.words)
    return [start for start in range(len(words) - length + 1) if words[start : start + length] == phrase.words]


def _is_near(near: Near, words: tuple[str, ...]) -> bool:
    return any(
        _follows(near.distance, one, other, words) or _follows(near.distance, other, one, words)
        for one in near.left
        for other in near.right
    )


def _follows(distance: int, first: Phrase, second: Phrase, words: tuple[str, ...]) -> bool:
    lasts = [start + len(first.words) - 1 for start in _starts(first, words)]
    return any(0 < start - last <= distance for start in _starts(second, words) for last in lasts)


def _values(text: IndexedText, name: FieldName) -> tuple[str | None, ...]:
    if name == "topic":
        return text.topics
    values: dict[FieldName, str | None] = {
        "label": text.label or UNLABELLED,
        "lang": text.language,
        "source": text.source,
        "author": text.author_key,
        "version": None if text.model_version is None else str(text.model_version),
    }
    return (values[name],)
