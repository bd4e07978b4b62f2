"""How fast the machine is from moment to moment: on a shared one a neighbour takes a third of a core's speed at times.

The same work is done again and again, and its CPU time noted: waiting for a core does not count, a core that is shared
with a neighbour, or clocked lower, does.
"""

from __future__ import annotations

import statistics
import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final, Self

_EVERY_S: Final = 0.05
_ROUNDS: Final = 12_000
#: A moment is slow where the work around it took so many times what it takes at full speed; the time around it is what
#: a queue needs to build up and to run empty.
_SLOW: Final = 1.25
_AROUND_S: Final = (-0.5, 0.3)
_FULL_SPEED_QUANTILE: Final = 0.1


class Pace:
    """Samples the machine's pace on a thread of its own, about a hundredth of a core, as a context manager."""

    def __init__(self) -> None:
        self._at_s: list[float] = []
        self._took_s: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="pace", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def slowed(self, first_s: float, last_s: float) -> float:
        """Return how many times as long as at full speed work took between two times of `monotonic`, on average."""
        return statistics.fmean(self._between(first_s, last_s)) / self._full_speed_s()

    def full(self, moments_s: Iterable[float]) -> Iterator[bool]:
        """Yield for times of `monotonic` whether the machine ran at full speed around them."""
        most_s = _SLOW * self._full_speed_s()
        for moment_s in moments_s:
            took_s = self._between(*(moment_s + offset_s for offset_s in _AROUND_S))
            yield bool(took_s) and statistics.fmean(took_s) < most_s

    def _between(self, first_s: float, last_s: float) -> list[float]:
        count = len(self._took_s)  # appended last
        return self._took_s[bisect_left(self._at_s, first_s, hi=count) : bisect_left(self._at_s, last_s, hi=count)]

    def _full_speed_s(self) -> float:
        """Return what the work takes at full speed: what is seldom gone below, of all samples up to now."""
        ordered = sorted(self._took_s)
        return ordered[int(len(ordered) * _FULL_SPEED_QUANTILE)]

    def _sample(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self._at_s.append(time.monotonic())
            started_s = time.thread_time()
            _work()
            self._took_s.append(time.thread_time() - started_s)


def _work() -> int:
    total = 0
    for number in range(_ROUNDS):
        total += number * number
    return total
