"""Texts and searches for the contract tests of the insight index."""

from __future__ import annotations

import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sentiment.insight.index import InsightIndex
from sentiment.insight.query.parser import parse_query
from sentiment.insight.values import ALL_TIME, IndexedText, Order, Query, TimeRange
from sentiment.insight.words import indexed_words

NOW_MS = 1_767_225_600_000  # the year 2026 begins


def quick_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder for indexes, in memory where the system has room there: each commit waits for ten file syncs."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None)


def indexed(id: str, words: str = "so good", **values: Any) -> IndexedText:  # noqa: A002
    """Make a text of the first revision that nobody has labelled, written NOW_MS."""
    defaults = {"revision": 1, "created_at_ms": NOW_MS}
    return IndexedText(**{"id": id, "words": indexed_words(words)} | defaults | values)


def search(text: str) -> Query:
    return parse_query(text, lambda name: f"key of {name}")


def instant(tz: str, *when: int, fold: int = 0) -> int:
    """Return the time at which the clocks of a zone show year, month, day and so on."""
    return int(datetime(*when, tzinfo=ZoneInfo(tz), fold=fold).timestamp() * 1000)  # type: ignore[misc, arg-type]


def walk(
    index: InsightIndex, query: Query, order: Order = "newest", limit: int = 3, within: TimeRange = ALL_TIME
) -> list[str]:
    """Return all ids, page by page."""
    ids: list[str] = []
    cursor = None
    while True:
        page = index.top(query, order, limit, within, cursor)
        assert len(page.ids) <= limit
        ids += page.ids
        cursor = page.next_cursor
        if cursor is None:
            return ids
        assert len(page.ids) == limit
