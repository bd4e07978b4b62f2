"""What is asked of the insight index, and times as people write them in an address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final

from sentiment.errors import InvalidInput
from sentiment.insight.values import Bucket, FacetName, Order

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS: Final = re.compile(r"-?\d{9,15}")
#: In an address a plus sign stands for a blank, so the zone of 12:00+01:00 comes with one.
_LOST_PLUS: Final = re.compile(r"(?<=\d) (?=\d\d:?\d\d$)")
_FORMS: Final = "a date such as 2026-01-31, a time such as 2026-01-31T12:00 or 2026-01-31T12:00+01:00, or ms since 1970"


class Question(StrEnum):
    """What can be asked."""

    TIMELINE = "timeline"
    COMPARE = "compare"
    RELATED = "related"
    FACETS = "facets"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Search:
    """A question's parameters; each question takes those that it needs. None for an end is the texts' own."""

    queries: tuple[str, ...] = ("",)
    from_ms: int | None = None
    to_ms: int | None = None
    bucket: Bucket | None = None
    tz: str = "UTC"
    order: Order = "newest"
    by: FacetName = "source"
    limit: int = 20
    after: str | None = None
    #: The two spans of *why*, each in ms since 1970, its end not included.
    spans: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))
    #: How far a model version's tone lies above the others', as measured, by version; for *why*.
    offsets: tuple[tuple[int, float], ...] = ()


def span_ms(text: str, zone: tzinfo, field: str) -> tuple[int, int]:
    """Return the ends of a span written FROM/TO, each as `moment_ms` reads it.

    Raises:
        InvalidInput: it is not a span (`field`).
    """
    begin, slash, end = text.partition("/")
    if not slash:
        raise InvalidInput(f"{field}: {text[:40]!r} is not a span; write FROM/TO, each {_FORMS}", field)
    return moment_ms(begin.strip(), zone, field), moment_ms(end.strip(), zone, field)


@dataclass(frozen=True, slots=True)
class InsightAnswer:
    """An answer as JSON, and the index's commit that it is of."""

    commit: str
    body: bytes


def moment_ms(text: str, zone: tzinfo, field: str) -> int:
    """Return a time in ms since 1970; a date is its midnight in `zone`, and so is a time without a zone.

    Raises:
        InvalidInput: it is not a time (`field`).
    """
    if _MILLISECONDS.fullmatch(text):
        return int(text)
    try:
        zoned = _LOST_PLUS.sub("+", text) if "T" in text.upper() else text
        moment = datetime.fromisoformat(zoned)
        if re.fullmatch(r"\d+", text):
            raise ValueError("a number")  # 20260131 may be a date, or milliseconds
        moment = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
        return (moment.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        raise InvalidInput(f"{field}: {text[:40]!r} is not a time; write {_FORMS}", field) from None
