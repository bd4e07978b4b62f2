"""The demonstration's texts for a platform that has none: sent once, each with its date, author and topic."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Final

from sentiment.client.answers import Item
from sentiment.client.http import UndertoneClient

SOURCE: Final = "demo"
_BATCH: Final = 100
_LOOKS: Final = 40
_LOOK_S: Final = 0.5


def demo_items() -> list[Item]:
    """Return the demonstration's texts, as the API takes them. Sent twice, they are kept once: their ids are fixed."""
    text = (files("gradio_ui") / "demo" / "harwick-bay.csv").read_text(encoding="utf-8")
    return [
        {
            "id": row["id"],
            "text": row["text"],
            "created_at": row["created_at"],
            "author": row["author"],
            "source": SOURCE,
            "topics": [row["topic"]],
        }
        for row in csv.DictReader(text.splitlines())
    ]


def send_demo(client: UndertoneClient, sleep: Callable[[float], None] = time.sleep) -> Iterator[tuple[int, int]]:
    """Send the demonstration's texts and wait until they can be searched for; yield how many were sent, of how many.

    Raises:
        UndertoneError: the platform does not take them.
    """
    items = demo_items()
    for begin in range(0, len(items), _BATCH):
        client.predict_batch(items[begin : begin + _BATCH])
        yield min(begin + _BATCH, len(items)), len(items)
    for _ in range(_LOOKS):
        if client.insights("timeline", [("q", f"source:{SOURCE}")])["total"] >= len(items):
            return
        sleep(_LOOK_S)
