"""Texts for the contract tests, and how to open a store from its address (in another process too)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sentiment.records import TextRecord
from sentiment.store.base import TextStore
from sentiment.store.memory import MemoryStore
from sentiment.store.mongo import MongoStore
from sentiment.store.sqlite import SqliteStore

NOW_MS = 4_000_000_000_000  # far off, so that no server expires a text or a tombstone by its own clock


def open_at(address: str) -> TextStore:
    """Open `memory:`, `sqlite:<path>` or `mongo:<database>@<uri>`."""
    scheme, _, place = address.partition(":")
    if scheme == "memory":
        return MemoryStore()
    if scheme == "sqlite":
        return SqliteStore(Path(place))
    database, _, uri = place.partition("@")
    return MongoStore(uri, database)


def text(id: str, words: str = "so good", **values: Any) -> TextRecord:  # noqa: A002
    """Make a text that no model has labelled, received NOW_MS."""
    defaults = {"text_key": f"key of {words}", "near_key": "near", "created_at_ms": NOW_MS, "received_at_ms": NOW_MS}
    return TextRecord(**{"id": id, "text": words} | defaults | values)


def labelled(id: str, words: str = "so good", **values: Any) -> TextRecord:  # noqa: A002
    """Make a text that version 7 of a model found positive at NOW_MS."""
    label = {
        "label": "positive",
        "score": 0.7310585786300049,
        "sentiment": 0.6000000000000001,
        "probabilities": {
            "negative": 0.1310585786300049,
            "neutral": 0.1378828427399902,
            "positive": 0.7310585786300049,
        },
        "truncated": True,
        "language": "de",
        "supported": False,
        "model": "sentiment",
        "model_version": 7,
        "labelled_at_ms": NOW_MS,
        "labelled_by": "model",
    }
    return text(id, words, **label | values)
