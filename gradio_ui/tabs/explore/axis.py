"""The axis of time: where the points of a timeline stand, and what is said of their time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

_HOUR: Final = "hour"


def positions(timeline: Mapping[str, Any]) -> list[datetime]:
    """Return where each point stands on the axis, as a time without a zone, which Plotly draws as it is.

    Days, weeks and months stand at their local midnight. Hours keep the offset of the first one: where a clock goes
    back, both of its repeated hours stay apart.
    """
    return [place(point["from_ms"], timeline) for point in timeline["points"]]


def place(at_ms: int, timeline: Mapping[str, Any]) -> datetime:
    """Return where a moment stands on the axis of `timeline`."""
    zone = ZoneInfo(timeline["tz"])
    if timeline["bucket"] != _HOUR or not timeline["points"]:
        return _at(at_ms).astimezone(zone).replace(tzinfo=None)
    return (_at(at_ms) + _offset(timeline["points"][0]["from_ms"], zone)).replace(tzinfo=None)


def moment(shown: str, timeline: Mapping[str, Any]) -> int:
    """Return the epoch milliseconds of a place on the axis, as a brush on it gives it: `2026-03-04 11:20:00`."""
    zone = ZoneInfo(timeline["tz"])
    local = datetime.fromisoformat(shown.strip().replace(" ", "T")[:26]).replace(tzinfo=None)
    if timeline["bucket"] != _HOUR or not timeline["points"]:
        return int(local.replace(tzinfo=zone).timestamp() * 1000)
    return int((local - _offset(timeline["points"][0]["from_ms"], zone)).replace(tzinfo=UTC).timestamp() * 1000)


def written(at_ms: int, timeline: Mapping[str, Any]) -> str:
    """Return a moment as a form has it: a date where it is a midnight, else a time with its offset."""
    local = _at(at_ms).astimezone(ZoneInfo(timeline["tz"]))
    is_midnight = local.time() == time() and timeline["bucket"] != _HOUR
    return local.date().isoformat() if is_midnight else local.isoformat(timespec="minutes")


def name_of(point: Mapping[str, Any], timeline: Mapping[str, Any]) -> str:
    """Return what a point's time is called: `Sun 29 Mar 2026`, `Mar 2026`, or an hour with its offset."""
    begin = _at(point["from_ms"]).astimezone(ZoneInfo(timeline["tz"]))
    match timeline["bucket"]:
        case "hour":
            return begin.strftime("%a %d %b %Y %H:%M %z")
        case "week":
            return begin.strftime("week from %a %d %b %Y")
        case "month":
            return begin.strftime("%b %Y")
        case _:
            return begin.strftime("%a %d %b %Y")


def title_of(timeline: Mapping[str, Any]) -> str:
    """Return what stands below the axis: the zone, and the offset that hours are drawn with."""
    points: Sequence[Mapping[str, Any]] = timeline["points"]
    if timeline["bucket"] == _HOUR and points:
        first = _at(points[0]["from_ms"]).astimezone(ZoneInfo(timeline["tz"]))
        return f"{timeline['tz']} (UTC{first.strftime('%z')[:3]}:{first.strftime('%z')[3:]})"
    return str(timeline["tz"])


def _offset(at_ms: int, zone: ZoneInfo) -> timedelta:
    return _at(at_ms).astimezone(zone).utcoffset() or timedelta()


def _at(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
