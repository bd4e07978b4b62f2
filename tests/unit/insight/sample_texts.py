"""Labelled texts of a few days for the tests of insight over HTTP and on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

from sentiment.records import PutText
from tests.sample_operations import put

DAY_MS = 24 * 3_600_000
FIRST_MS = int(datetime(2026, 3, 27, tzinfo=UTC).timestamp() * 1000)
NOW_MS = FIRST_MS + 10 * DAY_MS


def said(id_: str, text: str, sentiment: float, at_ms: int, **fields: object) -> PutText:
    label = "positive" if sentiment > 0.3 else "negative" if sentiment < -0.3 else "neutral"
    labels = {"label": label, "sentiment": sentiment, "model": "sentiment", "model_version": 3, "labelled_at_ms": at_ms}
    found = put(id_, text, **(labels | fields))
    return PutText(type(found.record)(**{**_fields(found), "created_at_ms": at_ms}))


def _fields(operation: PutText) -> dict[str, object]:
    return {name: getattr(operation.record, name) for name in type(operation.record).__slots__}
