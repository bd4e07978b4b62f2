"""Cursors: the end of a page as an opaque string, valid also after inserts and deletions between two pages."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Final

from sentiment.errors import InvalidInput
from sentiment.records import Page, TextRecord

_LONGEST_CURSOR: Final = 4096
_INT64: Final = 2**63


def page_of(records: Sequence[TextRecord], limit: int) -> Page:
    """Return a page of up to `limit` records; it has a next page if there are more records."""
    shown_records = list(records[:limit])
    return Page(shown_records, _encode(shown_records[-1]) if len(records) > limit else None)


def position_of(cursor: str | None) -> tuple[int, str] | None:
    """Return the (created_at_ms, id) after which a page starts, None for the first page.

    Raises:
        InvalidInput: the cursor was not made by `page_of`.
    """
    if cursor is None:
        return None
    try:
        created_at_ms, text_id = json.loads(
            base64.b64decode(cursor[:_LONGEST_CURSOR].encode("ascii"), b"-_", validate=True)
        )
    except (ValueError, TypeError, RecursionError):
        raise _broken() from None
    if type(created_at_ms) is not int or type(text_id) is not str or not -_INT64 <= created_at_ms < _INT64:
        raise _broken()
    if not text_id.isprintable():  # a surrogate, which no database can hold, or a control character, which no id has
        raise _broken()
    return created_at_ms, text_id


def _encode(record: TextRecord) -> str:
    return base64.urlsafe_b64encode(json.dumps([record.created_at_ms, record.id]).encode()).decode()


def _broken() -> InvalidInput:
    return InvalidInput("after is not a cursor; pass the `next` of the page before, or leave it out.", "after")
