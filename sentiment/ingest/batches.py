"""Gathers what a source yields into batches: full ones while it is fast, whatever there is once it pauses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from sentiment.client.bulk import BATCH_CHARACTERS
from sentiment.sources import Arrival, SourceText

_END: Final = None
_Queue = asyncio.Queue[Arrival | None]


async def batches_of(arrivals: AsyncIterator[Arrival], size: int, linger_s: float) -> AsyncIterator[list[Arrival]]:
    """Yield up to `size` arrivals at a time; one that has come waits `linger_s` at most for others.

    The source is read ahead by two batches at most. Its error is raised after everything that it yielded before.
    """
    queue: _Queue = asyncio.Queue(2 * size)
    reader = asyncio.create_task(_read(arrivals, queue))
    is_open = True
    try:
        while is_open:
            batch, is_open = await _gathered(queue, size, linger_s)
            if batch:
                yield batch
        await reader
    finally:
        reader.cancel()


async def _read(arrivals: AsyncIterator[Arrival], queue: _Queue) -> None:
    try:
        async for arrival in arrivals:
            await queue.put(arrival)
    except Exception:
        await queue.put(_END)
        raise
    await queue.put(_END)


async def _gathered(queue: _Queue, size: int, linger_s: float) -> tuple[list[Arrival], bool]:
    """Return a batch, and whether more may come."""
    batch, characters = list[Arrival](), 0
    arrival = await queue.get()
    try:
        async with asyncio.timeout(linger_s):
            while arrival is not _END:
                batch.append(arrival)
                characters += _characters(arrival)
                if len(batch) >= size or characters > BATCH_CHARACTERS:
                    return batch, True
                arrival = await queue.get()
    except TimeoutError:
        return batch, True
    return batch, False


def _characters(arrival: Arrival) -> int:
    return len(arrival.record.text) if isinstance(arrival.record, SourceText) else 0
