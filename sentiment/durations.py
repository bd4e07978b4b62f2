"""Spans of time as people write them: `90s`, `5m`, `1.5h`, `30d`, `4w`, or a bare number of seconds."""

from __future__ import annotations

import re
from typing import Final

from sentiment.errors import InvalidInput

_SHORT: Final = "60s, 5m or 1h"
_UNITS_S: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_SPAN: Final = re.compile(r"(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})([smhdw]?)", re.ASCII)  # float takes more: 1_0, nan, 1e9


def span_s(text: str) -> float | None:
    """Return the seconds of a time span, None if `text` is none."""
    match = _SPAN.fullmatch(text)
    return float(match[1]) * _UNITS_S[match[2]] if match else None


def seconds_of(text: str, name: str, field: str) -> float:
    """Return the seconds of a time span; `name` is the field's name for users.

    Raises:
        InvalidInput: `text` is not a time span.
    """
    seconds = span_s(text)
    if seconds is None:
        raise no_time(text, name, field)
    return seconds


def no_time(text: str, name: str, field: str, remedy: str = _SHORT) -> InvalidInput:
    """Return the error about a field, called `name`, that is not a time; `remedy` has examples."""
    return InvalidInput(f"{name} {text!r} is not a time: give {remedy}", field)
