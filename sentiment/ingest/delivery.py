"""How records reach a platform: over its HTTP API, in batches that wait where it is busy."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sentiment.client.answers import FeedbackItem, Item
from sentiment.client.bulk import answer_items, reason_of
from sentiment.client.http import UndertoneClient
from sentiment.errors import NotFound, Unavailable
from sentiment.sources import SourceText


class Delivery(Protocol):
    """Takes texts; what has been answered is kept for good."""

    async def send(self, texts: Sequence[SourceText]) -> list[str | None]:
        """Return for each text why it was refused, None where it was kept.

        Raises:
            Unavailable, Overloaded, DeadlineExceeded: the platform did not answer within the client's attempts.
        """

    async def delete(self, ids: Sequence[str]) -> None:
        """Delete texts; ids that do not exist are ignored. Raises as `send` does."""


@dataclass(frozen=True)
class HttpDelivery:
    """Sends to the API as texts of `source`. One call of `pool` carries a batch."""

    client: UndertoneClient
    source: str
    pool: ThreadPoolExecutor
    sleep: Callable[[float], None] = time.sleep

    async def send(self, texts: Sequence[SourceText]) -> list[str | None]:
        """Return for each text why it was refused, None where it was kept with its label."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, self._send, texts)

    async def delete(self, ids: Sequence[str]) -> None:
        """Delete texts; ids that do not exist are ignored."""
        await asyncio.get_running_loop().run_in_executor(self.pool, self._delete, ids)

    def _delete(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            with contextlib.suppress(NotFound):
                self.client.delete_text(id_)

    def _send(self, texts: Sequence[SourceText]) -> list[str | None]:
        items = {number: item_of(text, self.source) for number, text in enumerate(texts)}
        answers = answer_items(self.client, items, self.sleep)
        reasons = [reason_of(answers[number]) for number in items]
        accepted = (text for text, reason in zip(texts, reasons, strict=True) if reason is None)
        self._send_labels([text for text in accepted if text.label is not None])
        return reasons

    def _send_labels(self, texts: Sequence[SourceText]) -> None:
        items: list[FeedbackItem] = [
            {"id": text.id, "label": text.label or "", "source": self.source} for text in texts
        ]
        for result in self.client.add_feedback(items) if items else ():
            if (reason := reason_of(result)) is not None:
                raise Unavailable(
                    f"The label of {result.get('id')} was not kept: {reason}. The ingest will send it again."
                )


def item_of(text: SourceText, source: str) -> Item:
    """Return a text as the API takes it."""
    item: Item = {"text": text.text, "id": text.id, "source": source}
    if text.created_at_ms is not None:
        item["created_at"] = iso_of(text.created_at_ms)
    if text.author is not None:
        item["author"] = text.author
    if text.topics:
        item["topics"] = list(text.topics)
    return item


def iso_of(at_ms: int) -> str:
    """Return a time in ISO 8601, in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
