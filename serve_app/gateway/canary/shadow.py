"""Shadow traffic: a version on trial is asked about live texts once these are answered, and nobody hears what it says.

It never slows the leading version: one call at a time, started in a quiet moment or after a pause, from a bounded queue
that drops what is too much. The pause is longer once the version answers callers too: both then want the same cores.
Whole micro-batches are mirrored, so that the calls of both versions are of one size.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from sentiment.errors import DeadlineExceeded
from sentiment.text import NORMALIZERS
from serve_app.gateway.canary.stage_metrics import Heard, Tallies, Tally
from serve_app.gateway.inference.failover import Judge, Judged, Question, Verdict, named
from serve_app.routing.traffic_table import Route, TrafficTable

logger = logging.getLogger(__name__)

#: Texts that may wait to be mirrored.
MAX_TEXTS: Final = 1024
#: How long a call waits for a moment without live texts, at most, and how long such a moment is.
_PAUSE_S: Final = 0.25
_SETTLE_S: Final = 0.005
#: The same for a version that answers callers too: so many times what its last call took, within a bound.
_TIMES_AS_LONG: Final = 15
_LONGEST_PAUSE_S: Final = 15.0
#: A call that takes longer counts as failed.
PATIENCE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Answered:
    """A text that was answered: the id under which it is kept, the normalised text, and its answer."""

    id: str
    text: str
    judged: Judged


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is mirrored by one call: texts that the leading version worked out (`timed`), or that it knew."""

    route: Route
    answered: list[Answered]
    timed: bool


class Live(Protocol):
    """The queue of the live texts."""

    @property
    def idle(self) -> bool:
        """Whether no live text waits or is under way."""

    async def quiet(self) -> None:
        """Return once it is idle."""


async def lull(live: Live, most_s: float = _PAUSE_S) -> None:
    """Wait until answers have gone out and nothing followed them at once, for `most_s` seconds at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(most_s):
            quiet = False
            while not quiet:
                await live.quiet()
                await asyncio.sleep(_SETTLE_S)
                quiet = live.idle


@dataclass(eq=False)
class Mirror:
    """Asks the routes that have a shadow share, while `live` is idle where it can. Belongs to one event loop."""

    judge: Judge
    tallies: Tallies
    live: Live
    draw: Callable[[], float]
    patience_s: float = PATIENCE_S
    _queue: deque[_Unit] = field(default_factory=deque)
    _queued: int = 0
    _took_s: float = 0.0
    _task: asyncio.Task[None] | None = None

    def offer(self, table: TrafficTable, answered: Sequence[Answered]) -> None:
        """Take a micro-batch that was answered, with the probability of each route's shadow share.

        What waits for a version that has no shadow any more is dropped: asking one that is gone would hold up the next.
        """
        self._drop_others({route.app for route in table.routes if route.shadow > 0})
        for route in table.routes:
            if route.shadow > 0 and self.draw() < route.shadow:
                heard = [text for text in answered if text.judged.route.version != route.version]
                self._enqueue(route, [text for text in heard if text.judged.call_ms is not None], timed=True)
                self._enqueue(route, [text for text in heard if text.judged.call_ms is None], timed=False)

    def _drop_others(self, shadows: set[str]) -> None:
        if any(unit.route.app not in shadows for unit in self._queue):
            self._queue = deque(unit for unit in self._queue if unit.route.app in shadows)
            self._queued = sum(len(unit.answered) for unit in self._queue)

    def forget(self) -> None:
        """Drop what waits: a text of it was deleted."""
        self._queue.clear()
        self._queued = 0

    def _enqueue(self, route: Route, answered: list[Answered], *, timed: bool) -> None:
        if not answered:
            return
        if self._queued + len(answered) > MAX_TEXTS:
            self.judge.events["mirrored", *named(route), "dropped"] += len(answered)
            if tally := self.tallies.current():
                tally.dropped(len(answered))
            return
        self._queue.append(_Unit(route, answered, timed))
        self._queued += len(answered)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._queue:
            await lull(self.live, self._pause_s(self._queue[0].route))
            if not self._queue:  # forgotten meanwhile
                return
            unit = self._queue.popleft()
            self._queued -= len(unit.answered)
            tally = self.tallies.current()
            if tally is not None:
                started = time.monotonic()
                await self._ask(unit, tally)
                self._took_s = time.monotonic() - started

    def _pause_s(self, route: Route) -> float:
        if not route.weight:
            return _PAUSE_S
        return min(max(_PAUSE_S, _TIMES_AS_LONG * self._took_s), _LONGEST_PAUSE_S)

    async def _ask(self, unit: _Unit, tally: Tally) -> None:
        questions = [Question(_as_read_by(unit.route, answered), unit.route) for answered in unit.answered]
        try:
            async with asyncio.timeout(self.patience_s):
                verdicts = await self.judge.ask(questions)
        except TimeoutError:
            late = DeadlineExceeded(f"no answer within {self.patience_s:g} s")
            tally.asked(unit.route.version, [Heard(late, alone=True)])
            self.judge.events["mirrored", *named(unit.route), "failed"] += len(questions)
            return
        except Exception:  # whatever it was, live texts are not concerned
            logger.exception("mirrored texts were not answered")
            return
        said = verdicts if unit.timed else [_untimed(verdict) for verdict in verdicts]
        tally.asked(unit.route.version, [Heard(verdict, alone=True) for verdict in said])
        for answered, verdict in zip(unit.answered, verdicts, strict=True):
            result = tally.mirrored(answered.id, answered.judged, verdict)
            self.judge.events["mirrored", *named(unit.route), result] += 1


def _as_read_by(route: Route, answered: Answered) -> str:
    """Return a text as the route's own normaliser leaves it, from what that of the version left that answered it."""
    if route.normalizer == answered.judged.route.normalizer:
        return answered.text
    return NORMALIZERS[route.normalizer](answered.text)


def _untimed(verdict: Verdict) -> Verdict:
    return verdict if isinstance(verdict, Exception) else Judged(verdict.route, verdict.answer)
