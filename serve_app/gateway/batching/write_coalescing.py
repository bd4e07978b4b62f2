"""Writes the micro-batches of two lanes by one call, where that costs neither lane a noticeable wait.

The trusted version and the candidates answer in separate lanes, so that a version that is slow or hangs holds up no
other's texts. Since each write costs a call, micro-batches that end at about the same time are written together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

#: An answer of the trusted version waits for the other lane's write at most this share of the time that it took …
_PRIMARY_SHARE: Final = 0.25
#: … and at most this long.
_PRIMARY_WAITS_S: Final = 0.01
#: An answer of a candidate waits for the trusted version's write at most this long.
_CANDIDATE_WAITS_S: Final = 0.05
#: Micro-batches that begin within this time count as having begun together.
_TOGETHER_S: Final = 0.005


@dataclass(eq=False, slots=True)
class _JoinedCall(Generic[T, R]):
    items: list[T]
    results: asyncio.Future[Sequence[R]]
    timer: asyncio.Handle


@dataclass(eq=False)
class CoalescedCall(Generic[T, R]):
    """Joins calls that are made at about the same time into one. Belongs to one event loop.

    `call` returns a result per item, in order.
    """

    call: Callable[[list[T]], Awaitable[Sequence[R]]]
    _joined: _JoinedCall[T, R] | None = None

    async def __call__(self, items: Sequence[T], wait_s: float = 0.0) -> list[R]:
        """Return the items' results, or raise what the call raises.

        It waits `wait_s` at most for another caller's items, or for those of the same turn of the event loop.
        """
        joined = self._joined
        loop = asyncio.get_running_loop()
        if joined is None:
            timer = loop.call_later(wait_s, self._send) if wait_s else loop.call_soon(self._send)
            joined = self._joined = _JoinedCall([], loop.create_future(), timer)
        else:
            joined.timer.cancel()
            joined.timer = loop.call_soon(self._send)
        first = len(joined.items)
        joined.items.extend(items)
        results = await asyncio.shield(joined.results)  # a caller that is cancelled must not cancel the other
        return list(results[first : first + len(items)])

    def _send(self) -> None:
        joined, self._joined = self._joined, None
        if joined is not None:
            call = asyncio.ensure_future(self.call(joined.items))
            call.add_done_callback(lambda done: _hand_over(done, joined.results))


class Lane(Enum):
    """Which versions' texts a lane answers."""

    PRIMARY = "the trusted version"
    CANDIDATE = "candidates"


@dataclass(eq=False)
class LaneActivity:
    """When the micro-batches under way in each lane began. Times are seconds of one steady clock."""

    _begun: dict[Lane, list[float]] = field(default_factory=lambda: {lane: [] for lane in Lane})

    @contextmanager
    def at_work(self, lane: Lane, begun_s: float) -> Iterator[None]:
        """Record, inside the block, that a lane works on a micro-batch that it will write."""
        self._begun[lane].append(begun_s)
        try:
            yield
        finally:
            self._begun[lane].remove(begun_s)

    def wait_s(self, lane: Lane, begun_s: float, now_s: float) -> float:
        """Return for how many seconds an answered micro-batch may wait, to be written with the other lane's.

        The trusted version's waits only for one that began together with it, a candidate's for one that began no later.
        """
        if lane is Lane.CANDIDATE:
            is_expected = any(other_s <= begun_s + _TOGETHER_S for other_s in self._begun[Lane.PRIMARY])
            return _CANDIDATE_WAITS_S if is_expected else 0.0
        if any(other_s >= begun_s - _TOGETHER_S for other_s in self._begun[Lane.CANDIDATE]):
            return min(_PRIMARY_WAITS_S, _PRIMARY_SHARE * (now_s - begun_s))
        return 0.0


def _hand_over(done: asyncio.Future[Sequence[R]], results: asyncio.Future[Sequence[R]]) -> None:
    if done.cancelled():
        results.cancel()
    elif (error := done.exception()) is not None:
        results.set_exception(error)
    else:
        results.set_result(done.result())
