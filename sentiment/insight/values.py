"""What goes into the insight index and what comes out. Times are Unix epoch milliseconds (`_ms`), ends exclusive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from sentiment.insight.query.conditions import Condition, Everything
from sentiment.labels import NEGATIVE, NEUTRAL, POSITIVE

Bucket = Literal["hour", "day", "week", "month"]
Order = Literal["newest", "positive", "negative"]
TermKind = Literal["word", "topic"]
FacetName = Literal["source", "language", "topic", "author"]

#: The key of texts without a label in `Point.labels`, as `TextStore.count` has it.
UNLABELLED: Final = "unlabelled"
#: What `label:` may be.
LABELS: Final = (NEGATIVE, NEUTRAL, POSITIVE, UNLABELLED)


@dataclass(frozen=True, slots=True)
class IndexedText:
    """One text as the index holds it."""

    id: str
    revision: int
    """Grows with every change of the text. A text with a higher one is not replaced."""
    words: tuple[str, ...]
    """All words in the text's order, repeats included (`sentiment.insight.words`)."""
    created_at_ms: int
    topics: tuple[str, ...] = ()
    source: str | None = None
    language: str | None = None
    label: str | None = None
    author_key: str | None = None
    sentiment: float | None = None
    """From −1 to 1; None where nobody has labelled the text."""
    model_version: int | None = None


@dataclass(frozen=True, slots=True)
class Deletion:
    """A text to delete, in any revision up to `revision`; those revisions do not come back."""

    id: str
    revision: int


@dataclass(frozen=True, slots=True)
class Query:
    """A search. `text` is what the user wrote, `condition` what it means (`sentiment.insight.query.parser`)."""

    text: str = ""
    condition: Condition = field(default_factory=Everything)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Texts written from `from_ms` on and before `to_ms`; None is without end."""

    from_ms: int | None = None
    to_ms: int | None = None


ALL_TIME: Final = TimeRange()


@dataclass(frozen=True, slots=True)
class Span:
    """What a timeline shows: days begin at midnight in `tz`, an IANA name; None for `bucket` chooses a width."""

    from_ms: int
    to_ms: int
    bucket: Bucket | None = None
    tz: str = "UTC"


@dataclass(frozen=True, slots=True)
class VersionMean:
    """What one model version has labelled within a point: how many texts, and their mean sentiment."""

    count: int
    sentiment: float | None


@dataclass(frozen=True, slots=True)
class Point:
    """One bucket of a timeline."""

    from_ms: int
    to_ms: int
    """Where the bucket is cut by the span's own ends, these."""
    count: int
    sentiment: float | None
    """Mean of the texts that have a sentiment; None where none has."""
    low: float | None
    high: float | None
    """The 95 % interval of the mean (`sentiment.insight.interval`)."""
    labels: Mapping[str, int]
    versions: Mapping[str, VersionMean]
    """By number of the model version; texts that no model has labelled are in none."""
    partial: bool
    """Whether the span's ends cut the bucket, or it is not over yet."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A search over time: every bucket of the span, the empty ones too."""

    query: str
    total: int
    sentiment: float | None
    low: float | None
    high: float | None
    bucket: Bucket
    tz: str
    points: tuple[Point, ...]
    commit: str


@dataclass(frozen=True, slots=True)
class TimelineComparison:
    """Several searches over one span. `shares[i]` is the part of all that series i counts; None where all count 0."""

    series: tuple[Timeline, ...]
    shares: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """A word or topic that goes with a search (`sentiment.insight.association`)."""

    term: str
    kind: TermKind
    count: int
    """How many of the texts found have it."""
    lift: float
    """How many times as often it is in the texts found as in all texts."""
    sentiment: float | None
    """Mean of the texts found that have it."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A word or topic that begins as typed, and how many texts have it."""

    term: str
    kind: TermKind
    count: int


@dataclass(frozen=True, slots=True)
class FacetCount:
    """One value of a field among the texts found."""

    value: str
    """Of `author`, the key that stands for the name."""
    count: int
    sentiment: float | None
    """Mean of the texts found that have it."""


@dataclass(frozen=True, slots=True)
class IdPage:
    """Ids of texts in order, and the cursor that continues after them (None on the last page)."""

    ids: tuple[str, ...]
    next_cursor: str | None
    commit: str
