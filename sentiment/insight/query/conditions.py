"""What a search means: a tree of conditions on one text, the same for every index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

FieldName = Literal["label", "lang", "source", "author", "version", "topic"]
Comparator = Literal["<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Everything:
    """Holds for every text."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """The text has these words one after the other; one word is a phrase of one."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Near:
    """A phrase of `left` and one of `right` stand at most `distance` words apart, in either order, without overlap.

    Words next to each other are 1 apart.
    """

    distance: int
    left: tuple[Phrase, ...]
    right: tuple[Phrase, ...]

    @property
    def phrases(self) -> int:
        """How many phrases an index looks for: one an order for two different words, else one an order and distance."""
        return sum(2 if _are_two_words(one, other) else 2 * self.distance for one in self.left for other in self.right)


@dataclass(frozen=True, slots=True)
class FieldIs:
    """A field of the text has this value: `author` an author's key, `label` may be `unlabelled`."""

    name: FieldName
    value: str


@dataclass(frozen=True, slots=True)
class Tone:
    """The text's sentiment compares so with `bound`; one without a sentiment never does."""

    comparison: Comparator
    bound: float


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition


@dataclass(frozen=True, slots=True)
class AllOf:
    """All parts hold."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple[Condition, ...]


Condition = Everything | Phrase | Near | FieldIs | Tone | Not | AllOf | AnyOf


def phrases_in(condition: Condition) -> int:
    """Return how many phrases the `near` of a condition stand for, wherever in it."""
    return condition.phrases if isinstance(condition, Near) else sum(map(phrases_in, _parts_of(condition)))


def words_in(condition: Condition) -> Iterator[str]:
    """Yield the words that a condition names, wherever in it."""
    if isinstance(condition, Phrase):
        yield from condition.words
    elif isinstance(condition, Near):
        for phrase in (*condition.left, *condition.right):
            yield from phrase.words
    else:
        for part in _parts_of(condition):
            yield from words_in(part)


def topics_in(condition: Condition) -> Iterator[str]:
    """Yield the topics that a condition names, wherever in it."""
    if isinstance(condition, FieldIs) and condition.name == "topic":
        yield condition.value
    for part in _parts_of(condition):
        yield from topics_in(part)


def _are_two_words(one: Phrase, other: Phrase) -> bool:
    return len(one.words) == len(other.words) == 1 and one != other


def _parts_of(condition: Condition) -> tuple[Condition, ...]:
    if isinstance(condition, AllOf | AnyOf):
        return condition.parts
    return (condition.part,) if isinstance(condition, Not) else ()
