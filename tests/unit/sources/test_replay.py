"""Replay: records come when their time has come, at a speed of which all forms are told."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sentiment.errors import InvalidInput
from sentiment.sources import Arrival, Rejected, SourceText, paced, speed_of


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now_s += seconds


async def arrivals_at(*times_ms: int | None) -> AsyncIterator[Arrival]:
    for number, at_ms in enumerate(times_ms, 1):
        record = Rejected("no text", {}) if at_ms == -1 else SourceText(str(number), "x", at_ms)
        yield Arrival(record, number, {})


async def came_at(speed: float | None, *times_ms: int | None) -> list[float]:
    clock = Clock()
    return [clock.now_s - 100 async for _ in paced(arrivals_at(*times_ms), speed, clock, clock.sleep)]


async def test_an_hour_at_60x_takes_a_minute():
    assert await came_at(60.0, 0, 1_800_000, 3_600_000) == [0, 30, 60]


async def test_the_sources_own_speed_keeps_its_pauses():
    assert await came_at(1.0, 5_000, 5_000, 7_500) == [0, 0, 2.5]


async def test_as_fast_as_possible_waits_for_nothing():
    assert await came_at(None, 0, 3_600_000) == [0, 0]


async def test_what_is_late_or_has_no_time_waits_for_nothing():
    assert await came_at(1.0, 10_000, None, 4_000, -1, 11_000) == [0, 0, 0, 0, 1]


@pytest.mark.parametrize(("text", "speed"), [("max", None), ("60x", 60.0), ("1X", 1.0), ("0.5x", 0.5), ("2", 2.0)])
def test_speeds_are_read_as_people_write_them(text, speed):
    assert speed_of(text) == speed


@pytest.mark.parametrize("text", ["", "fast", "-1x", "0x", "0", "xx", "1e3x"])
def test_what_is_no_speed_is_refused_with_examples(text):
    with pytest.raises(InvalidInput, match="give max, 1x for the source's own, or 60x"):
        speed_of(text)
