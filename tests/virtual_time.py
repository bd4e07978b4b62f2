"""An event loop whose clock jumps: what waits for a timer waits no longer than it takes to find nothing else to do.

`time.monotonic` and `time.perf_counter` read the same clock while such a loop runs, so that code which measures sees
what it would have waited. Computing takes no time on it: a slow machine makes nothing late.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, Final
from unittest import mock

import anyio.to_thread

#: How far the clock goes with each look at it: no two are equal.
_TICK_S: Final = 1e-7
_RUN_IN_THREAD: Final = anyio.to_thread.run_sync


class VirtualClock:
    """Seconds that pass by `advance` alone. `threads` are at work for the loop: their time is the machine's."""

    def __init__(self) -> None:
        self._now_s = time.monotonic()
        self.threads = 0

    def now_s(self) -> float:
        self._now_s += _TICK_S
        return self._now_s

    def advance(self, seconds: float) -> None:
        self._now_s += seconds

    async def run_in_thread(self, func: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Do what anyio's function of this name does."""
        self.threads += 1
        try:
            return await _RUN_IN_THREAD(func, *args, **options)
        finally:
            self.threads -= 1

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Let the modules that measure time read this clock."""
        with (
            mock.patch.object(time, "monotonic", self.now_s),
            mock.patch.object(time, "perf_counter", self.now_s),
            mock.patch.object(anyio.to_thread, "run_sync", self.run_in_thread),
        ):
            yield


class _Selector(selectors.DefaultSelector):
    """Waits for events; where nothing but a timer can come, its time passes at once."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        waits_for_events = timeout is None or self._clock.threads > 0
        found = super().select(timeout if waits_for_events else 0)
        if not found and timeout:
            self._clock.advance(timeout)
        return found


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The loop of a test in which nothing comes from outside its process."""

    def __init__(self) -> None:
        self._clock = VirtualClock()
        super().__init__(_Selector(self._clock))

    def time(self) -> float:
        return self._clock.now_s()

    def run_forever(self) -> None:
        with self._clock.in_force():
            super().run_forever()

    def run_in_executor(self, executor: Executor | None, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        self._clock.threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _: asyncio.Future[Any]) -> None:
        self._clock.threads -= 1
