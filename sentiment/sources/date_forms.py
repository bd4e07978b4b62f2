"""Dates as people and programs write them, each form by itself. A form returns None for what is not written so."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Final

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            ("jan", "january"),
            ("feb", "february"),
            ("mar", "march"),
            ("apr", "april"),
            ("may",),
            ("jun", "june"),
            ("jul", "july"),
            ("aug", "august"),
            ("sep", "sept", "september"),
            ("oct", "october"),
            ("nov", "november"),
            ("dec", "december"),
        ),
        1,
    )
    for name in names
}
_WEEKDAYS: Final = frozenset(
    f"{stem}{ending}"
    for stem, *endings in (
        ("mon", "day"),
        ("tue", "s", "sday"),
        ("wed", "nesday"),
        ("thu", "r", "rs", "rsday"),
        ("fri", "day"),
        ("sat", "urday"),
        ("sun", "day"),
    )
    for ending in ("", *endings)
)
#: Zones that have one meaning (RFC 2822, section 4.3), in hours from UTC.
ZONES: Final = {
    "utc": 0,
    "gmt": 0,
    "z": 0,
    "est": -5,
    "edt": -4,
    "cst": -6,
    "cdt": -5,
    "mst": -7,
    "mdt": -6,
    "pst": -8,
    "pdt": -7,
}
_OFFSET: Final = re.compile(r"(?:utc|gmt)?([+-])(\d\d):?([0-5]\d)", re.IGNORECASE)
_CLOCK: Final = re.compile(r"(\d{1,2}):([0-5]\d)(?::([0-5]\d|60)(?:[.,](\d{1,9}))?)?([ap]m)?", re.IGNORECASE)
_DAY: Final = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?", re.IGNORECASE)
_NUMERIC: Final = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?:[T ,]+(.*))?")
_YEAR_FIRST: Final = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})(?:[T ,]+(.*))?")
_COMPACT: Final = re.compile(r"((?:19|20|21)\d\d)([01]\d)([0-3]\d)(?:([0-2]\d)([0-5]\d)([0-5]\d))?")
_ISO_ZONE: Final = re.compile(r"(.*\d)\s*([A-Za-z]{1,3}|[+-]\d\d:?\d\d)", re.DOTALL)


def iso_8601(text: str) -> datetime | None:
    """Read ISO 8601, with a blank before the zone or a zone's name behind it as databases write it, too."""
    if text.isdecimal():  # any digit would do for what parts day and hour
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    zoned = _ISO_ZONE.fullmatch(text)
    offset = _offset(zoned[2]) if zoned else None
    if zoned is None or offset is None:
        return None
    try:
        bare = datetime.fromisoformat(zoned[1])
    except ValueError:
        return None
    return None if bare.tzinfo else bare.replace(tzinfo=timezone(offset))


def compact(text: str) -> datetime | None:
    """Read `20090511` and `20090511031740`."""
    match = _COMPACT.fullmatch(text)
    return _built([int(part or 0) for part in match.groups()]) if match else None


def year_first(text: str) -> datetime | None:
    """Read `2009/05/11 03:17:40`."""
    match = _YEAR_FIRST.fullmatch(text)
    if not match:
        return None
    clock = _Clock.of(match[4])
    return clock.on(int(match[1]), int(match[2]), int(match[3])) if clock else None


@dataclass(frozen=True, slots=True)
class NumericDate:
    """A date of two numbers and a year, of which either may be the day."""

    first: int
    second: int
    year: int
    clock: _Clock

    def read(self, *, day_first: bool) -> datetime | None:
        """Return what it means; None where there is no such day."""
        day, month = (self.first, self.second) if day_first else (self.second, self.first)
        return self.clock.on(self.year, month, day)


def numeric(text: str) -> NumericDate | None:
    """Read `13/04/2009 10:30`, `4.13.2009` and `4-13-2009`, without a decision on which is the day."""
    match = _NUMERIC.fullmatch(text)
    clock = _Clock.of(match[5]) if match else None
    return NumericDate(int(match[1]), int(match[3]), int(match[4]), clock) if match and clock else None


def named_month(text: str) -> datetime | None:
    """Read a date with the English name of its month, in any order: RFC 2822, Twitter's, C's and JavaScript's.

    The name of the weekday is not compared with the date.
    """
    words = re.sub(r"\([^()]*\)", " ", text).replace(",", " ").split()
    rest, date = list[str](), dict[str, int]()
    for word in words:
        if not _take(word, date):
            rest.append(word)
    clock = _Clock.of(" ".join(rest))
    if clock is None or len(date) != 3:
        return None
    return clock.on(date["year"], date["month"], date["day"])


def _take(word: str, date: dict[str, int]) -> bool:
    """Take a word into the date; False if it is none of it."""
    name = word.casefold().rstrip(".")
    if name in _WEEKDAYS:
        return True
    if name in _MONTHS and "month" not in date:
        date["month"] = _MONTHS[name]
    elif len(word) == 4 and word.isascii() and word.isdecimal() and "year" not in date:
        date["year"] = int(word)
    elif (day := _DAY.fullmatch(word)) and "day" not in date:
        date["day"] = int(day[1])
    else:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Clock:
    """The time of a day, and its zone if one is named."""

    hour: int = 0
    minute: int = 0
    second: int = 0
    microsecond: int = 0
    offset: timedelta | None = None

    @classmethod
    def of(cls, text: str | None) -> _Clock | None:
        """Read `10:30`, `3:17:40 PM`, `10:30 +0200`, `03:17:40 UTC`; midnight for nothing, None for anything else."""
        words = _Words((text or "").split())
        clock = words.clock or cls()
        hour = _hour(clock.hour, words.half)
        if words.has_strangers or hour is None or (words.half and words.clock is None):
            return None
        return cls(hour, clock.minute, clock.second, clock.microsecond, words.offset)

    def on(self, year: int, month: int, day: int) -> datetime | None:
        """Return the moment of this time on a day; None where there is no such day. A leap second is the one before."""
        moment = _built([year, month, day, self.hour, self.minute, min(self.second, 59), self.microsecond])
        return moment.replace(tzinfo=timezone(self.offset)) if moment and self.offset is not None else moment


@dataclass(slots=True)
class _Words:
    """The words of a time of day, told apart: each kind may stand once."""

    words: list[str]
    clock: _Clock | None = None
    half: str = ""
    offset: timedelta | None = None
    has_strangers: bool = field(default=False)

    def __post_init__(self) -> None:
        for word in self.words:
            self.has_strangers |= not self._take(word)

    def _take(self, word: str) -> bool:
        if match := _CLOCK.fullmatch(word):
            return self._take_clock(match)
        if word.casefold() in ("am", "pm"):
            is_first, self.half = not self.half, word.casefold()
            return is_first
        is_first, self.offset = self.offset is None, _offset(word)
        return is_first and self.offset is not None

    def _take_clock(self, match: re.Match[str]) -> bool:
        if self.clock is not None or (match[5] and self.half):
            return False
        self.half = (match[5] or self.half).casefold()
        microsecond = int((match[4] or "0").ljust(6, "0")[:6])
        self.clock = _Clock(int(match[1]), int(match[2]), int(match[3] or 0), microsecond)
        return True


def _hour(hour: int, half: str) -> int | None:
    if not half:
        return hour if hour < 24 else None
    return hour % 12 + (12 if half == "pm" else 0) if 1 <= hour <= 12 else None


def _offset(word: str) -> timedelta | None:
    if word.casefold() in ZONES:
        return timedelta(hours=ZONES[word.casefold()])
    match = _OFFSET.fullmatch(word)
    if not match or int(match[2]) > 23:
        return None
    size = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return -size if match[1] == "-" else size


def _built(numbers: list[int]) -> datetime | None:
    year, month, day, hour, minute, second, microsecond = (*numbers, 0)[:7]
    try:
        return datetime(year, month, day, hour, minute, second, microsecond)
    except ValueError:
        return None
