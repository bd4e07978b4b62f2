"""What the micro-batches of two lanes share, with hardly a wait of the one for the other.

Texts of the trusted version and those of versions on trial are answered in lanes of their own, so that a version that
is slow or hangs holds up no other's texts. Each micro-batch pays its calls, though: what comes to be kept at about the
same time is written by one call.
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

#: How long what the trusted version answered waits for a write with the other lane's: this share of the time that it
#: took, and no longer than this.
_PRIMARY_SHARE: Final = 0.25
_PRIMARY_WAITS_S: Final = 0.01
#: How long what a version on trial answered waits for the trusted version's.
_CANDIDATE_WAITS_S: Final = 0.05
#: Micro-batches that begin within this time began together.
_TOGETHER_S: Final = 0.005


@dataclass(eq=False, slots=True)
class _Met(Generic[T, R]):
    items: list[T]
    results: asyncio.Future[Sequence[R]]
    timer: asyncio.Handle


@dataclass(eq=False)
class CoalescedCall(Generic[T, R]):
    """Makes one call of those that meet. `call` returns a result per item, in order. Belongs to one event loop."""

    call: Callable[[list[T]], Awaitable[Sequence[R]]]
    _met: _Met[T, R] | None = None

    async def __call__(self, items: Sequence[T], wait_s: float = 0.0) -> list[R]:
        """Return the items' results, or raise what the call raises.

        It waits for another's items for `wait_s` at most, and at least for those of the same turn of the event loop.
        """
        met = self._met
        loop = asyncio.get_running_loop()
        if met is None:
            timer = loop.call_later(wait_s, self._send) if wait_s else loop.call_soon(self._send)
            met = self._met = _Met([], loop.create_future(), timer)
        else:
            met.timer.cancel()
            met.timer = loop.call_soon(self._send)
        first = len(met.items)
        met.items.extend(items)
        results = await asyncio.shield(met.results)  # one caller's end is not the other's
        return list(results[first : first + len(items)])

    def _send(self) -> None:
        met, self._met = self._met, None
        if met is not None:
            asyncio.ensure_future(self.call(met.items)).add_done_callback(lambda done: _hand_over(done, met.results))


class Lane(Enum):
    """Whose texts a lane answers."""

    PRIMARY = "the trusted version"
    CANDIDATE = "versions on trial"


@dataclass(eq=False)
class LaneActivity:
    """Knows what each lane is at. Times are seconds of one steady clock."""

    _begun: dict[Lane, list[float]] = field(default_factory=lambda: {lane: [] for lane in Lane})

    @contextmanager
    def at_work(self, lane: Lane, begun_s: float) -> Iterator[None]:
        """Say that a lane works at a micro-batch which it will write."""
        self._begun[lane].append(begun_s)
        try:
            yield
        finally:
            self._begun[lane].remove(begun_s)

    def wait_s(self, lane: Lane, begun_s: float, now_s: float) -> float:
        """Return how long a micro-batch that was answered may wait for a write with the other lane's.

        The trusted version's waits only for one that began with it, one on trial for one that began no later.
        """
        if lane is Lane.CANDIDATE:
            return (
                _CANDIDATE_WAITS_S
                if any(other_s <= begun_s + _TOGETHER_S for other_s in self._begun[Lane.PRIMARY])
                else 0.0
            )
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
