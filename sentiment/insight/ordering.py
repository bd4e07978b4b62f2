"""In which order texts are listed, as one whole number a text, and where a page ended.

Times are often equal: a file with dates and no times gives thousands of texts one millisecond. So the number ends in
bits of the id, and of texts with equal numbers the greater id comes first.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Final

from sentiment.errors import InvalidInput
from sentiment.insight.values import IndexedText, Order

_HASH_BITS: Final = 15
_MINUTE_BITS: Final = 33
_SIGN_MINUTES: Final = 1 << (_MINUTE_BITS - 1)  # minutes before 1970 count from 0 too
_LATEST_MS: Final = (1 << 48) - 1  # the year 10889
_STEPS: Final = 10_000  # sentiment is ordered by four decimals
_INT64: Final = 2**63
_LONGEST_CURSOR: Final = 4096


def newest_key(text: IndexedText) -> int:
    """Return a number of 64 bits that is greater for a later text."""
    return _within_calendar(text.created_at_ms) << _HASH_BITS | _hash(text.id)


def sentiment_key(text: IndexedText, order: Order) -> int | None:
    """Return a number of 64 bits that is greater for a text of stronger feeling, then for a later one.

    None for a text without a sentiment.
    """
    if text.sentiment is None:
        return None
    steps = round((text.sentiment if order == "positive" else -text.sentiment) * _STEPS)
    minutes = _within_calendar(text.created_at_ms) // 60_000 + _SIGN_MINUTES
    return (steps << _MINUTE_BITS | minutes) << _HASH_BITS | _hash(text.id)


def key_of(text: IndexedText, order: Order) -> int | None:
    """Return where a text stands in an order, greatest first; None where it is not in it."""
    return newest_key(text) if order == "newest" else sentiment_key(text, order)


def cursor_after(key: int, text_id: str) -> str:
    """Return the cursor of a page that ended with that text."""
    return base64.urlsafe_b64encode(json.dumps([key, text_id]).encode()).decode()


def place_of(cursor: str | None) -> tuple[int, str] | None:
    """Return the (key, id) after which a page starts, None for the first page.

    Raises:
        InvalidInput: the cursor was not made by `cursor_after` (`after`).
    """
    if cursor is None:
        return None
    try:
        key, text_id = json.loads(base64.b64decode(cursor[:_LONGEST_CURSOR].encode("ascii"), b"-_", validate=True))
    except (ValueError, TypeError, RecursionError):
        raise _broken() from None
    if type(key) is not int or type(text_id) is not str or not -_INT64 <= key < _INT64 or not text_id.isprintable():
        raise _broken()
    return key, text_id


def _within_calendar(at_ms: int) -> int:
    return max(-_LATEST_MS, min(_LATEST_MS, at_ms))


def _hash(text_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(text_id.encode(), digest_size=2).digest(), "big") >> 1


def _broken() -> InvalidInput:
    return InvalidInput("after is not a cursor; pass the `next` of the page before, or leave it out.", "after")
