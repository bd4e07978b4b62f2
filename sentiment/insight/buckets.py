"""Where the buckets of a timeline begin and end: local hours, days, weeks from Monday and months of any time zone.

A local day has 23 or 25 hours where the clocks change. An hour that comes twice makes two buckets. An edge is the first
instant at which the local clock shows the bucket's beginning, or a later time if that one is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sentiment.errors import InvalidInput
from sentiment.insight.values import Bucket, Span

#: Most points that a timeline has, and most where the width is chosen here.
MAX_POINTS: Final = 2000
MAX_CHOSEN_POINTS: Final = 500

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
WIDTH_MS: Final[Mapping[Bucket, int]] = {
    "hour": _HOUR_MS,
    "day": _DAY_MS,
    "week": 7 * _DAY_MS,
    "month": 30 * _DAY_MS,
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
#: Times that a calendar has, with room for any zone: the years 2 to 9998.
_FIRST_MS: Final = -62_104_060_800_000
_LAST_MS: Final = 253_370_764_800_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """One bucket as far as the span reaches; `partial` says that the span's ends or the present cut it."""

    from_ms: int
    to_ms: int
    partial: bool


def zone_of(tz: str) -> tzinfo:
    """Return the time zone of an IANA name.

    Raises:
        InvalidInput: there is none of that name (`tz`).
    """
    if tz.upper() == "UTC":
        return UTC  # known without a data base of zones
    try:
        return ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            f"tz={tz!r} is not a time zone; use an IANA name such as UTC, Europe/Berlin or America/New_York.", "tz"
        ) from None


def bucket_of(span: Span) -> Bucket:
    """Return the span's bucket, or the narrowest one that gives at most MAX_CHOSEN_POINTS.

    Raises:
        InvalidInput: the span is empty or out of the calendar (`from`), or has too many buckets (`bucket`).
    """
    _check_ends(span)
    length_ms = span.to_ms - span.from_ms
    chosen = span.bucket or _narrowest(length_ms)
    points = length_ms // WIDTH_MS[chosen] + 1
    if points > MAX_POINTS:
        fitting = [bucket for bucket, width_ms in WIDTH_MS.items() if length_ms < MAX_POINTS * width_ms]
        remedy = f"use bucket={fitting[0]}, or a shorter span" if fitting else "use a shorter span"
        raise InvalidInput(
            f"bucket={chosen} gives about {points:,} points between from and to, more than {MAX_POINTS:,}; {remedy}.",
            "bucket",
        )
    return chosen


def _narrowest(length_ms: int) -> Bucket:
    narrow = [bucket for bucket, width_ms in WIDTH_MS.items() if length_ms <= MAX_CHOSEN_POINTS * width_ms]
    return narrow[0] if narrow else "month"


def stretches_of(span: Span, now_ms: int) -> list[Stretch]:
    """Return the buckets of a span, one after the other without gaps.

    Raises:
        InvalidInput: as `bucket_of` and `zone_of`.
    """
    bucket, zone = bucket_of(span), zone_of(span.tz)
    edges = list(_edges(span, bucket, zone))
    return [
        Stretch(
            max(begin, span.from_ms),
            min(end, span.to_ms),
            begin < span.from_ms or end > span.to_ms or end > now_ms,
        )
        for begin, end in pairwise(edges)
    ]


def outward(span: Span, *, beginning: bool, end: bool) -> Span:
    """Return the span with its beginning, or its end, moved outward to where a bucket begins or ends.

    Raises:
        InvalidInput: as `bucket_of` and `zone_of`.
    """
    bucket, zone = bucket_of(span), zone_of(span.tz)
    edges = list(_edges(span, bucket, zone))
    from_ms, to_ms = edges[0] if beginning else span.from_ms, edges[-1] if end else span.to_ms
    return Span(from_ms, to_ms, bucket, span.tz)


def _check_ends(span: Span) -> None:
    if span.from_ms >= span.to_ms:
        raise InvalidInput("from is not before to; give an earlier from, or a later to.", "from")
    if span.from_ms < _FIRST_MS:
        raise InvalidInput("from is too early; use a time from the year 2 on.", "from")
    if span.to_ms > _LAST_MS:
        raise InvalidInput("to is too late; use a time before the year 9999.", "to")


def _edges(span: Span, bucket: Bucket, zone: tzinfo) -> Iterator[int]:
    """Yield edges from the last one at or before the span's beginning to the first at or after its end."""
    edge, following, width_ms = _first_edge(span.from_ms, bucket, zone), _FOLLOWING[bucket], WIDTH_MS[bucket]
    offset_ms = _offset_ms(edge, zone)
    yield edge
    while edge < span.to_ms:
        offset_before_ms, offset_ms = offset_ms, _offset_ms(edge + width_ms, zone)
        if bucket != "month" and offset_ms == offset_before_ms and (edge + offset_ms) % min(width_ms, _DAY_MS) == 0:
            edge += width_ms  # the clocks did not change, and the edge is where the clock says
        else:
            edge = following(edge, zone)
            offset_ms = _offset_ms(edge, zone)
        yield edge


def _first_edge(at_ms: int, bucket: Bucket, zone: tzinfo) -> int:
    if bucket == "hour":
        return _hour_of(at_ms, zone)
    day = _midnight(at_ms, zone)
    if bucket == "week":
        day -= timedelta(days=day.weekday())
    elif bucket == "month":
        day = day.replace(day=1)
    return _instant(day, zone)


def _next_hour(edge_ms: int, zone: tzinfo) -> int:
    return _hour_of(edge_ms + _HOUR_MS, zone)


def _next_day(edge_ms: int, zone: tzinfo) -> int:
    return _after(edge_ms, zone, lambda day: day + timedelta(days=1))


def _next_week(edge_ms: int, zone: tzinfo) -> int:
    return _after(edge_ms, zone, lambda day: day + timedelta(days=7 - day.weekday()))


def _next_month(edge_ms: int, zone: tzinfo) -> int:
    return _after(edge_ms, zone, lambda day: (day.replace(day=1) + timedelta(days=32)).replace(day=1))


_FOLLOWING: Final[Mapping[Bucket, Callable[[int, tzinfo], int]]] = {
    "hour": _next_hour,
    "day": _next_day,
    "week": _next_week,
    "month": _next_month,
}


def _after(edge_ms: int, zone: tzinfo, following: Callable[[datetime], datetime]) -> int:
    day = following(_midnight(edge_ms, zone))
    while (instant := _instant(day, zone)) <= edge_ms:  # a day that the zone skipped has no length
        day = following(day)
    return instant


def _local(at_ms: int, zone: tzinfo) -> datetime:
    """Return what the local clock shows, as a bare datetime; UTC arithmetic holds before 1970 too."""
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone).replace(tzinfo=None)


def _midnight(at_ms: int, zone: tzinfo) -> datetime:
    return _local(at_ms, zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _instant(wall: datetime, zone: tzinfo) -> int:
    """Return the first instant at which the local clock shows `wall` or, where it skips that, something later."""
    at_ms = _epoch_ms(wall.replace(tzinfo=zone, fold=0))
    if _local(at_ms - 1, zone) < wall:
        return at_ms
    return _first(at_ms - _DAY_MS, at_ms, lambda instant: _local(instant, zone) >= wall)


def _hour_of(at_ms: int, zone: tzinfo) -> int:
    """Return when the local hour of an instant began; the hour begins anew where the clocks change within it."""
    offset_ms = _offset_ms(at_ms, zone)
    begin_ms = at_ms - (at_ms + offset_ms) % _HOUR_MS
    if _offset_ms(begin_ms, zone) == offset_ms:
        return begin_ms
    return _first(begin_ms, at_ms, lambda instant: _offset_ms(instant, zone) == offset_ms)


def _first(low_ms: int, high_ms: int, holds: Callable[[int], bool]) -> int:
    """Return the first instant after `low_ms` at which `holds` turns true; it is true at `high_ms`."""
    while high_ms - low_ms > 1:
        middle_ms = (low_ms + high_ms) // 2
        low_ms, high_ms = (low_ms, middle_ms) if holds(middle_ms) else (middle_ms, high_ms)
    return high_ms


def _offset_ms(at_ms: int, zone: tzinfo) -> int:
    """Return how much the local clock is ahead of UTC."""
    if zone is UTC:
        return 0
    offset = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone).utcoffset()
    return 0 if offset is None else offset // _MILLISECOND


def _epoch_ms(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND
