"""Spans of time as people write them: `90s`, `5m`, `1.5h`, `30d`, `4w`, or a bare number of seconds."""

from __future__ import annotations

import re
from typing import Final

from sentiment.errors import InvalidInput

_SHORT: Final = "60s, 5m or 1h"
_UNITS_S: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_SPAN: Final = re.compile(r"(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})([smhdw]?)", re.ASCII)  # float takes more: 1_0, nan, 1e9


def span_s(text: str) -> float | None:
    """Return how many seconds `text` names, None if it is no span."""
    found = _SPAN.fullmatch(text)
    return float(found[1]) * _UNITS_S[found[2]] if found else None


def seconds_of(text: str, name: str, field: str) -> float:
    """Return how many seconds `text` names; `name` is what its user calls the field.

    Raises:
        InvalidInput: it names none.
    """
    seconds = span_s(text)
    if seconds is None:
        raise no_time(text, name, field)
    return seconds


def no_time(text: str, name: str, field: str, remedy: str = _SHORT) -> InvalidInput:
    """Return the error of a field, called `name`, that is no time; `remedy` gives examples of what would be one."""
    return InvalidInput(f"{name} {text!r} is no time: give {remedy}", field)
