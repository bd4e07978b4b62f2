from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment.errors import InvalidInput
from sentiment.insight.buckets import MAX_POINTS, bucket_of, stretches_of, zone_of
from sentiment.insight.values import Span
from tests.contract.insight_texts import instant
from tests.hypothesis_profile import examples

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NEVER = 2**60


def hours(span: Span) -> list[float]:
    return [(stretch.to_ms - stretch.from_ms) / HOUR_MS for stretch in stretches_of(span, NEVER)]


@pytest.mark.parametrize(
    ("tz", "bucket", "begin", "end", "expected"),
    [
        ("Europe/Berlin", "day", (2026, 3, 28), (2026, 3, 31), [24, 23, 24]),
        ("Europe/Berlin", "day", (2026, 10, 24), (2026, 10, 27), [24, 25, 24]),
        ("Europe/Berlin", "week", (2026, 3, 23), (2026, 4, 6), [167, 168]),
        ("America/New_York", "month", (2026, 3, 1), (2026, 5, 1), [743, 720]),
        ("Australia/Lord_Howe", "hour", (2026, 4, 5, 1), (2026, 4, 5, 3), [1, 0.5, 1]),
        ("Australia/Lord_Howe", "hour", (2026, 10, 4, 1), (2026, 10, 4, 4), [1, 0.5, 1]),
        ("Asia/Beirut", "day", (2022, 3, 26), (2022, 3, 28), [24, 23]),  # midnight itself is skipped
        ("America/St_Johns", "day", (2010, 11, 6), (2010, 11, 9), [24, 25, 24]),  # midnight comes twice
        ("Pacific/Apia", "day", (2011, 12, 29), (2012, 1, 1), [24, 24]),  # a day is skipped
        ("UTC", "week", (1969, 12, 29), (1970, 1, 12), [168, 168]),
    ],
)
def test_buckets_are_as_long_as_the_local_clock_makes_them(tz, bucket, begin, end, expected):
    assert hours(Span(instant(tz, *begin), instant(tz, *end), bucket, tz)) == expected


@settings(max_examples=examples(200), deadline=None)
@given(
    begin=st.integers(-(2**41), 2**42),
    length=st.integers(1, 60 * DAY_MS),
    bucket=st.sampled_from(["hour", "day", "week", "month"]),
    tz=st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Monrovia"]),
)
def test_buckets_cover_the_span_without_gap_or_overlap_and_begin_where_the_clock_says(begin, length, bucket, tz):
    stretches = stretches_of(Span(begin, begin + length, bucket, tz), NEVER)
    assert (stretches[0].from_ms, stretches[-1].to_ms) == (begin, begin + length)
    assert all(one.to_ms == other.from_ms for one, other in pairwise(stretches))
    assert all(stretch.from_ms < stretch.to_ms for stretch in stretches)
    for stretch in stretches[1:]:
        before, at = (local(stretch.from_ms + shift, tz) for shift in (-1, 0))
        assert name(at, bucket) != name(before, bucket) or at.utcoffset() != before.utcoffset()


def local(at_ms: int, tz: str) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).astimezone(zone_of(tz))


def name(when: datetime, bucket: str) -> object:
    if bucket == "week":
        return when.isocalendar()[:2]
    parts = {"month": 2, "day": 3, "hour": 4}[bucket]
    return when.timetuple()[:parts]


def test_points_that_the_span_or_the_present_cuts_are_partial():
    day = instant("UTC", 2026, 1, 1)
    span = Span(day + HOUR_MS, day + 4 * DAY_MS + HOUR_MS, "day")
    assert [stretch.partial for stretch in stretches_of(span, NEVER)] == [True, False, False, False, True]
    assert [stretch.partial for stretch in stretches_of(span, day + 2 * DAY_MS)] == [True, False, True, True, True]
    whole = Span(day, day + 2 * DAY_MS, "day")
    assert [stretch.partial for stretch in stretches_of(whole, day + 2 * DAY_MS)] == [False, False]


@pytest.mark.parametrize(
    ("days", "bucket"), [(1 / 24, "hour"), (20, "hour"), (21, "day"), (500, "day"), (730, "week"), (3501, "month")]
)
def test_the_width_is_chosen_from_the_span(days, bucket):
    assert bucket_of(Span(0, int(days * DAY_MS))) == bucket


@pytest.mark.parametrize(
    ("span", "field", "cause"),
    [
        (Span(5, 5), "from", "from is not before to"),
        (Span(0, 730 * DAY_MS, "hour"), "bucket", "17,521 points between from and to, more than 2,000; use bucket=day"),
        (Span(0, 160 * 365 * DAY_MS, "day"), "bucket", "use bucket=month"),
        (Span(0, 400 * 365 * DAY_MS), "bucket", "use a shorter span"),
        (Span(0, DAY_MS, "day", "Mars/Olympus"), "tz", "tz='Mars/Olympus' is not a time zone"),
        (Span(0, DAY_MS, "day", "../../etc/passwd"), "tz", "is not a time zone"),
        (Span(0, DAY_MS, "day", ""), "tz", "is not a time zone"),
        (Span(0, 2**60), "to", "the year 9999"),
        (Span(-(2**60), 0), "from", "the year 2"),
    ],
)
def test_a_wrong_span_is_told_by_field_and_remedy(span, field, cause):
    with pytest.raises(InvalidInput) as caught:
        stretches_of(span, NEVER)
    assert caught.value.field == field
    assert cause in str(caught.value)


def test_the_most_points_are_given():
    assert len(stretches_of(Span(0, (MAX_POINTS - 1) * HOUR_MS, "hour", "Europe/Berlin"), NEVER)) == MAX_POINTS - 1
