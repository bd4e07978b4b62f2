"""Times as people and programs write them: each form, each refusal, and one reading of day and month for a file."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from email.utils import format_datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.errors import InvalidInput
from sentiment.sources.times import TimeReader, UnreadableTime, plausible_ms, reader_of_column, require_format, zone_of

READER = TimeReader()
MOMENT = datetime(2009, 5, 11, 3, 17, 40, tzinfo=UTC)
MOMENT_MS = 1_242_011_860_000
ZONES = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
MOMENTS = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=ZONES)
WHOLE_SECONDS = MOMENTS.map(lambda moment: moment.replace(microsecond=0))


def ms_of(moment: datetime) -> int:
    return (moment.astimezone(UTC).replace(tzinfo=None) - datetime(1970, 1, 1)) // timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "written",
    [
        "2009-05-11T03:17:40Z",
        "2009-05-11 03:17:40",
        "2009-05-11 03:17:40 UTC",
        "2009-05-11 05:17:40 +0200",
        "2009-05-11T05:17:40.000+02:00",
        "20090511T031740Z",
        "20090511031740",
        "2009/05/11 03:17:40",
        "2009/5/11 3:17:40 AM",
        "Mon, 11 May 2009 03:17:40 +0000",
        "Mon, 11 May 2009 03:17:40 GMT",
        "11 May 2009 03:17:40 -0000",
        "Mon May 11 03:17:40 UTC 2009",
        "Sun May 10 20:17:40 PDT 2009",
        "Mon May 11 03:17:40 +0000 2009",
        "Mon May 11 03:17:40 2009",
        "Mon May 11 2009 05:17:40 GMT+0200 (Central European Summer Time)",
        "May 11, 2009 3:17:40 AM",
        "May 11th, 2009, 3:17:40 am",
        "1242011860",
        "1242011860.0",
        "1242011860000",
        "1242011860000000",
        "1242011860000000000",
        1_242_011_860,
        1_242_011_860.0,
        Decimal(1242011860),
        MOMENT_MS,
        MOMENT,
        MOMENT.replace(tzinfo=None),
        "  Mon May 11 03:17:40 UTC 2009 ",
    ],
)
def test_each_way_to_write_a_moment_is_read(written):
    assert READER.read_ms(written) == MOMENT_MS


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2009-05-11", datetime(2009, 5, 11, tzinfo=UTC)),
        ("20090511", datetime(2009, 5, 11, tzinfo=UTC)),
        ("11 May 2009 3 PM", None),
        ("11 May 2009 12:05 PM", datetime(2009, 5, 11, 12, 5, tzinfo=UTC)),
        ("11 May 2009 12:05 AM", datetime(2009, 5, 11, 0, 5, tzinfo=UTC)),
        ("Wed Oct 10 20:19:24 +0000 2018", datetime(2018, 10, 10, 20, 19, 24, tzinfo=UTC)),
        ("31 Dec 2016 23:59:60", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2009-05-11T03:17:40.123456Z", MOMENT.replace(microsecond=123000)),
        ("-1", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_days_halves_of_days_and_fractions_are_read(written, expected):
    if expected is None:
        with pytest.raises(UnreadableTime, match="not a time"):
            READER.read_ms(written)
    else:
        assert READER.read_ms(written) == ms_of(expected)


@pytest.mark.parametrize(
    "written",
    [
        "yesterday",
        "11:30",
        "May 2009",
        "30 Feb 2009",
        "2009-13-01",
        "11 May 2009 25:00",
        "11 May 2009 13:00 PM",
        "11 May 2009 10:00 IST",
        "11 May 2009 10:00 +2500",
        "11 May May 2009",
        "11 May 2009 10:00 11:00",
        "99/99/2009",
        "NaN",
        "1" * 30,
        "0x10",
        True,
        [1],
        float("inf"),
    ],
)
def test_what_is_no_moment_is_refused_with_what_was_given(written):
    with pytest.raises(UnreadableTime, match="holds"):
        READER.read_ms(written)


@pytest.mark.parametrize("empty", [None, "", float("nan")])
def test_an_empty_time_is_called_that(empty):
    with pytest.raises(UnreadableTime, match="is empty"):
        READER.read_ms(empty)


@given(moment=WHOLE_SECONDS)
def test_every_moment_is_read_back_from_rfc_2822_and_twitters_form(moment):
    assert READER.read_ms(format_datetime(moment)) == ms_of(moment)
    assert READER.read_ms(f"{moment:%a %b %d %H:%M:%S %z} {moment.year:04}") == ms_of(moment)


@given(moment=MOMENTS)
def test_every_moment_is_read_back_from_iso_8601(moment):
    assert READER.read_ms(moment.isoformat()) == ms_of(moment)
    assert READER.read_ms(moment.isoformat(" ")) == ms_of(moment)


@given(st.integers(0, 10**11 - 1))
def test_every_count_of_seconds_is_read_back_and_so_is_its_count_of_milliseconds(seconds):
    if 10**7 <= seconds < 10**8:  # eight digits are a date, where they can be one
        return
    assert READER.read_ms(seconds) == READER.read_ms(f"{seconds}") == seconds * 1000
    if seconds * 1000 >= 10**11 and len(str(seconds * 1000)) != 14:
        assert READER.read_ms(seconds * 1000) == seconds * 1000


@given(st.text(max_size=40) | st.integers() | st.floats() | st.booleans() | st.none() | st.decimals())
def test_whatever_stands_in_a_cell_it_is_a_time_or_said_to_be_none(value):
    with contextlib.suppress(UnreadableTime):
        assert isinstance(READER.read_ms(value), int)


def test_a_time_without_a_zone_is_in_the_one_that_was_told():
    berlin = TimeReader(zone=zone_of("Europe/Berlin"))
    assert berlin.read_ms("2009-05-11 05:17:40") == MOMENT_MS
    assert berlin.read_ms("Mon May 11 03:17:40 UTC 2009") == MOMENT_MS, "one that has a zone keeps it"
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=0)
    assert berlin.read_ms("2026-10-25 02:30") == ms_of(first), "of an hour that comes twice the first is meant"


def test_an_unknown_zone_is_refused_with_examples():
    with pytest.raises(InvalidInput, match=r"'Mars/Olympus' is not a time zone.*Europe/Berlin"):
        zone_of("Mars/Olympus")
    with pytest.raises(InvalidInput, match="not a time zone"):
        zone_of("../etc/passwd")


def test_a_format_reads_what_is_written_so_and_nothing_else():
    reader = TimeReader("%m/%d/%Y %H:%M")
    assert reader.read_ms("05/11/2009 03:17") == MOMENT_MS - 40_000
    with pytest.raises(UnreadableTime, match="does not match --time-format '%m/%d/%Y %H:%M'"):
        reader.read_ms("2009-05-11")
    assert TimeReader("%m/%d/%Y %H:%M %z").read_ms("05/11/2009 05:17 +0200") == MOMENT_MS - 40_000


def test_counts_are_in_the_unit_that_the_format_names():
    assert TimeReader("milliseconds").read_ms("20090511") == 20_090_511
    assert TimeReader("seconds").read_ms(20_090_511) == 20_090_511_000
    with pytest.raises(UnreadableTime, match="not a number of seconds"):
        TimeReader("seconds").read_ms("2009-05-11")


@pytest.mark.parametrize("time_format", ["", "dd/mm/yyyy", "%H:%M", "%Q %Y", "%"])
def test_a_format_that_tells_no_date_is_refused_with_an_example(time_format):
    with pytest.raises(InvalidInput, match="is not a form of dates with the year: give one such as '%d/"):
        require_format(time_format)


def column(*cells: object, time_format: str | None = None) -> TimeReader:
    return reader_of_column(lambda: enumerate(cells, 1), time_format, UTC, "in.csv, column 'when'")


def test_one_row_tells_for_all_which_is_the_day():
    reader = column("03/04/2009 10:30", "", "no date", "13/04/2009")
    assert reader.read_ms("03/04/2009 10:30") == ms_of(datetime(2009, 4, 3, 10, 30, tzinfo=UTC))
    assert column("3-4-2009", "4-13-2009").read_ms("3-4-2009") == ms_of(datetime(2009, 3, 4, tzinfo=UTC))
    with pytest.raises(UnreadableTime, match="not a time"):
        reader.read_ms("04/13/2009")


def test_a_day_that_no_row_tells_is_refused_with_both_readings_and_both_formats():
    with pytest.raises(InvalidInput) as refused:
        column("05/05/2009 9:00 pm", "03/04/2009 9:00 PM")
    message = str(refused.value)
    assert message.startswith(
        "in.csv, column 'when': row 2 has '03/04/2009 9:00 PM', which may be 3 April 2009 or 4 March 2009"
    )
    assert "'%d/%m/%Y %I:%M %p'" in message
    assert "'%m/%d/%Y %I:%M %p'" in message
    assert refused.value.field == "time_column"


def test_rows_that_contradict_each_other_are_refused_by_name():
    with pytest.raises(InvalidInput, match=r"the day comes first in row 2 \('13.04.2009'\) and the month in row 1"):
        column("04.13.2009", "13.04.2009")


def test_dates_whose_day_is_their_month_need_no_word():
    assert column("05/05/2009").read_ms("05/05/2009") == ms_of(datetime(2009, 5, 5, tzinfo=UTC))


def test_a_format_ends_the_question():
    assert column("03/04/2009", time_format="%d/%m/%Y").read_ms("03/04/2009") == ms_of(datetime(2009, 4, 3, tzinfo=UTC))


def test_without_a_column_to_tell_an_unclear_day_is_refused():
    with pytest.raises(UnreadableTime, match="may be 3 April 2009 or 4 March 2009: give --time-format to say which"):
        READER.read_ms("03/04/2009")


@given(st.dates(datetime(1970, 1, 2).date(), datetime(2100, 1, 1).date()), st.booleans())
def test_a_column_with_a_clear_date_reads_every_other_one_in_the_same_way(day, day_first):
    written = f"{day:%d/%m}" if day_first else f"{day:%m/%d}"
    clear = "25/12/2020" if day_first else "12/25/2020"
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert column(clear, f"{written}/{day.year}").read_ms(f"{written}/{day.year}") == ms_of(midnight)


@pytest.mark.parametrize(
    ("at_ms", "is_plausible"), [(0, True), (-1, False), (1_000_600_000, True), (1_000_600_001, False)]
)
def test_a_time_before_1970_or_more_than_ten_minutes_ahead_cannot_be(at_ms, is_plausible):
    assert plausible_ms(at_ms, now_ms=1_000_000_000) == (at_ms if is_plausible else None)
