"""Times as sources write them, into milliseconds since 1970. Day and month are read in one way in a whole column."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sentiment.errors import InvalidInput
from sentiment.sources.date_forms import NumericDate, compact, iso_8601, named_month, numeric, year_first
from sentiment.tables.table import is_missing, plain
from sentiment.validation_messages import shown

SECONDS, MILLISECONDS = "seconds", "milliseconds"
#: How far ahead of this machine's clock a source's may be.
AHEAD_MS: Final = 10 * 60_000
#: A column without a date like 13/04/2009 in so many rows is one without them.
_LOOKED_AT_ROWS: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1)
_NUMBER: Final = re.compile(r"-?\d{1,20}(?:\.\d{1,9})?", re.ASCII)
#: Up to which size a count since 1970 is in seconds, milliseconds, microseconds (beyond: nanoseconds); in ms each.
_UNITS: Final = ((10**11, 1000), (10**14, 1), (10**17, Decimal("0.001")))
_NANOSECOND_MS: Final = Decimal("0.000001")
_YEAR_DIRECTIVES: Final = re.compile(r"%[YyGcxs]")
_KNOWN: Final = "ISO 8601, RFC 2822, Twitter's form, seconds or milliseconds since 1970"


class UnreadableTime(ValueError):
    """A cell is no time; the message says why, for a row that is rejected."""


@dataclass(frozen=True)
class TimeReader:
    """Reads the times of one source.

    `time_format` is as `strptime` has it, SECONDS or MILLISECONDS; None reads all forms known. `day_first` says how
    13/04/2009 and such are read; None refuses them.
    """

    time_format: str | None = None
    zone: tzinfo = UTC
    day_first: bool | None = None

    def read_ms(self, value: Any) -> int:
        """Return a cell as milliseconds since 1970. Raises UnreadableTime."""
        value = plain(value)
        if is_missing(value) or value == "":
            raise UnreadableTime("is empty")
        if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal | datetime):
            raise UnreadableTime(f"holds {shown(value)}, which is not a time")
        if isinstance(value, datetime):
            return self._ms_of(value)
        return self._read_text(str(value).strip()) if isinstance(value, str) else self._count_ms(Decimal(str(value)))

    def _read_text(self, text: str) -> int:
        if self.time_format is not None:
            return self._by_format(text, self.time_format)
        moment = compact(text)
        if moment is None and _NUMBER.fullmatch(text):
            return self._count_ms(Decimal(text))
        moment = moment or iso_8601(text) or year_first(text) or named_month(text) or self._numeric(text)
        if moment is None:
            raise UnreadableTime(
                f"holds {shown(text)}, which is not a time in a known form ({_KNOWN}): give --time-format for another"
            )
        return self._ms_of(moment)

    def _numeric(self, text: str) -> datetime | None:
        date = numeric(text)
        if date is None:
            return None
        if self.day_first is None and (both := readings(date)):
            raise UnreadableTime(f"holds {shown(text)}, {both}: give --time-format to say which")
        return date.read(day_first=bool(self.day_first))

    def _by_format(self, text: str, time_format: str) -> int:
        if time_format in (SECONDS, MILLISECONDS):
            if not _NUMBER.fullmatch(text):
                raise UnreadableTime(f"holds {shown(text)}, which is not a number of {time_format}")
            return self._count_ms(Decimal(text))
        try:
            return self._ms_of(datetime.strptime(text, time_format))
        except ValueError:
            raise UnreadableTime(f"holds {shown(text)}, which does not match --time-format {time_format!r}") from None

    def _count_ms(self, count: Decimal) -> int:
        if not count.is_finite() or abs(count) >= 10**20:
            raise UnreadableTime(f"holds {shown(str(count))}, which is not a time")
        if self.time_format in (SECONDS, MILLISECONDS):
            return math.floor(count * (1000 if self.time_format == SECONDS else 1))
        unit_ms = next((unit for most, unit in _UNITS if abs(count) < most), _NANOSECOND_MS)
        return math.floor(count * unit_ms)

    def _ms_of(self, moment: datetime) -> int:
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=self.zone)
        try:
            offset = zoned.utcoffset() or timedelta()
        except (OverflowError, ValueError):  # a year at the end of the calendar
            offset = timedelta()
        return (moment.replace(tzinfo=None) - _EPOCH - offset) // timedelta(milliseconds=1)


def plausible_ms(at_ms: int, now_ms: int) -> int | None:
    """Return a source's time; None for one that cannot be: before 1970, or more than ten minutes ahead."""
    return at_ms if 0 <= at_ms <= now_ms + AHEAD_MS else None


def readings(date: NumericDate) -> str:
    """Say in words which two days a date may mean; empty if it means one."""
    both = [moment for day_first in (True, False) if (moment := date.read(day_first=day_first))]
    days = [f"{moment.day} {moment:%B %Y}" for moment in both]
    return f"which may be {days[0]} or {days[1]}" if len(days) == 2 and days[0] != days[1] else ""


def zone_of(name: str) -> tzinfo:
    """Return the time zone of an IANA name. Raises InvalidInput."""
    try:
        return UTC if name.upper() == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise InvalidInput(
            f"--time-zone {name!r} is not a time zone that this machine knows: give a name such as UTC, Europe/Berlin "
            "or America/New_York.",
            "time_zone",
        ) from exc


def require_format(time_format: str) -> None:
    """Refuse a `--time-format` by which no time could be read. Raises InvalidInput."""
    if time_format in (SECONDS, MILLISECONDS):
        return
    try:
        datetime.strptime(datetime(2026, 12, 31, 23, 59, 58).strftime(time_format), time_format)
        is_format = bool(_YEAR_DIRECTIVES.search(time_format))
    except (ValueError, re.error):
        is_format = False
    if not is_format:
        raise InvalidInput(
            f"--time-format {time_format!r} is not a form of dates with the year: give one such as '%d/%m/%Y %H:%M', "
            f"or {SECONDS} or {MILLISECONDS}.",
            "time_format",
        )


def reader_of_column(
    cells: Callable[[], Iterable[tuple[int, Any]]], time_format: str | None, zone: tzinfo, where: str
) -> TimeReader:
    """Return the reader of a column; `cells` begins to read it anew, as numbers of rows with cells.

    Raises:
        InvalidInput: it has dates like 03/04/2009, and no row tells which is the day, or two contradict each other;
            or `time_format` is none. `where` names file and column.
    """
    if time_format is not None:
        require_format(time_format)
        return TimeReader(time_format, zone)
    first_rows = itertools.islice(cells(), _LOOKED_AT_ROWS)
    if not any(_numeric_of(cell) for _, cell in first_rows):
        return TimeReader(None, zone)
    return TimeReader(None, zone, _day_first(cells(), where))


def _numeric_of(cell: Any) -> NumericDate | None:
    value = plain(cell)
    return numeric(value.strip()) if isinstance(value, str) else None


def _day_first(cells: Iterable[tuple[int, Any]], where: str) -> bool:
    """Return whether the day comes first, as the column's own dates tell."""
    clear: dict[bool, tuple[int, str]] = {}
    unclear: tuple[int, str, str] | None = None
    for number, cell in cells:
        if (date := _numeric_of(cell)) is None:
            continue
        possible = [day_first for day_first in (True, False) if date.read(day_first=day_first)]
        if len(possible) == 1:
            clear.setdefault(possible[0], (number, str(cell).strip()))
        elif possible and unclear is None and (both := readings(date)):
            unclear = number, str(cell).strip(), both
    if len(clear) == 2:
        raise _contradiction(where, clear)
    if not clear and unclear:
        number, text, both = unclear
        raise InvalidInput(
            f"{where}: row {number} has {text!r}, {both}, and no row tells which: give --time-format "
            f"{_format_for(text, '%d', '%m')!r} or --time-format {_format_for(text, '%m', '%d')!r}.",
            "time_column",
        )
    return next(iter(clear), True)


def _contradiction(where: str, clear: dict[bool, tuple[int, str]]) -> InvalidInput:
    (day_row, day_text), (month_row, month_text) = clear[True], clear[False]
    return InvalidInput(
        f"{where}: the day comes first in row {day_row} ({day_text!r}) and the month in row {month_row} "
        f"({month_text!r}). All rows must have one order: give --time-format "
        f"{_format_for(day_text, '%d', '%m')!r} (rows in the other order are rejected), or correct the file.",
        "time_column",
    )


def _format_for(text: str, first: str, second: str) -> str:
    """Return the format of a date like 03/04/2009 10:30, as far as it can be told."""
    sign = next(each for each in text if not each.isdecimal())
    clock = ("", "", " %H:%M", " %H:%M:%S")[min(text.count(":") + 1, 3) if ":" in text else 0]
    is_halved = clock and re.search(r"[ap]m\b", text, re.IGNORECASE)
    return f"{first}{sign}{second}{sign}%Y" + (clock.replace("%H", "%I") + " %p" if is_halved else clock)
