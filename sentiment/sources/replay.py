"""Replay of a source at its own speed, or so many times faster: each record comes when its time has come."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from sentiment.errors import InvalidInput
from sentiment.sources.record import Arrival, SourceText

_SPEED: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)x?", re.ASCII)


def speed_of(text: str) -> float | None:
    """Return how many times faster `60x` is than life; None for `max`, which waits for nothing. Raises InvalidInput."""
    if text.casefold() == "max":
        return None
    match = _SPEED.fullmatch(text.strip().casefold())
    speed = float(match[1]) if match else 0.0
    if speed <= 0:
        raise InvalidInput(
            f"--speed {text!r} is not a speed: give max, 1x for the source's own, or 60x for 60 times that.", "speed"
        )
    return speed


async def paced(
    arrivals: AsyncIterator[Arrival],
    speed: float | None,
    clock_s: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
) -> AsyncIterator[Arrival]:
    """Yield the arrivals, each when `speed` lets its time come; the first one comes at once.

    What has no time of its own, or an earlier one than its predecessor, waits for nothing.
    """
    first: tuple[float, int] | None = None
    async for arrival in arrivals:
        at_ms = arrival.record.created_at_ms if isinstance(arrival.record, SourceText) else None
        if speed is not None and at_ms is not None:
            first = first or (clock_s(), at_ms)
            wait_s = first[0] + (at_ms - first[1]) / 1000 / speed - clock_s()
            if wait_s > 0:
                await sleep(wait_s)
        yield arrival
