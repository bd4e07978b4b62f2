"""Shadow traffic: live texts are mirrored to a candidate after they were answered; its answers reach no caller.

It hardly slows the leading version: one call at a time, in a quiet moment or after a pause, from a bounded queue that
drops texts when it is full. The pause is longer once the candidate also answers callers and so needs the same cores.
Whole micro-batches are mirrored, so that the calls of both versions have the same size.
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
from serve_app.gateway.canary.stage_metrics import ArmResult, StageCounts, StageMetrics
from serve_app.gateway.inference.failover import FailoverClassifier
from serve_app.gateway.inference.request import InferenceOutcome, InferenceRequest, InferenceResult, metric_labels
from serve_app.routing.traffic_table import Route, TrafficTable

logger = logging.getLogger(__name__)

#: Most texts that may wait to be mirrored.
MAX_TEXTS: Final = 1024
#: A call waits at most this long for a moment without live texts …
_PAUSE_S: Final = 0.25
#: … which must last this long.
_SETTLE_S: Final = 0.005
#: For a candidate that also answers callers, it waits at most this many times the duration of its last call …
_TIMES_AS_LONG: Final = 15
#: … and at most this long.
_LONGEST_PAUSE_S: Final = 15.0
#: A call that takes longer counts as failed, in seconds.
PATIENCE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Answered:
    """An answered text: the id under which it is stored, the normalised text, and its result."""

    id: str
    text: str
    result: InferenceResult


@dataclass(frozen=True, slots=True)
class _Unit:
    """The texts of one mirrored call: either all computed by the leading version (`timed`), or all from its cache."""

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
    """Wait for a moment without live texts, for `most_s` seconds at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(most_s):
            quiet = False
            while not quiet:
                await live.quiet()
                await asyncio.sleep(_SETTLE_S)
                quiet = live.idle


@dataclass(eq=False)
class Mirror:
    """Mirrors texts to the routes that have a shadow share. Belongs to one event loop."""

    classifier: FailoverClassifier
    metrics: StageMetrics
    live: Live
    """The queue of live texts, which go first."""
    draw: Callable[[], float]
    """Returns a random point of [0, 1)."""
    patience_s: float = PATIENCE_S
    _queue: deque[_Unit] = field(default_factory=deque)
    _queued: int = 0
    _call_s: float = 0.0
    _task: asyncio.Task[None] | None = None

    def offer(self, table: TrafficTable, answered: Sequence[Answered]) -> None:
        """Queue an answered micro-batch for each route, with the probability of the route's shadow share.

        Texts that wait for a version that no longer has a shadow share are dropped: it may have ended, and a call to it
        would hold up the others.
        """
        self._drop_others({route.app for route in table.routes if route.shadow > 0})
        for route in table.routes:
            if route.shadow > 0 and self.draw() < route.shadow:
                others = [text for text in answered if text.result.route.version != route.version]
                self._enqueue(route, [text for text in others if text.result.call_ms is not None], timed=True)
                self._enqueue(route, [text for text in others if text.result.call_ms is None], timed=False)

    def _drop_others(self, shadows: set[str]) -> None:
        if any(unit.route.app not in shadows for unit in self._queue):
            self._queue = deque(unit for unit in self._queue if unit.route.app in shadows)
            self._queued = sum(len(unit.answered) for unit in self._queue)

    def forget(self) -> None:
        """Drop all waiting texts, since one of them may have been deleted."""
        self._queue.clear()
        self._queued = 0

    def _enqueue(self, route: Route, answered: list[Answered], *, timed: bool) -> None:
        if not answered:
            return
        if self._queued + len(answered) > MAX_TEXTS:
            self.classifier.events["mirrored", *metric_labels(route), "dropped"] += len(answered)
            if counts := self.metrics.current():
                counts.add_dropped(len(answered))
            return
        self._queue.append(_Unit(route, answered, timed))
        self._queued += len(answered)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._queue:
            await lull(self.live, self._pause_s(self._queue[0].route))
            if not self._queue:  # `forget` was called meanwhile
                return
            unit = self._queue.popleft()
            self._queued -= len(unit.answered)
            counts = self.metrics.current()
            if counts is not None:
                started = time.monotonic()
                await self._classify(unit, counts)
                self._call_s = time.monotonic() - started

    def _pause_s(self, route: Route) -> float:
        if not route.weight:
            return _PAUSE_S
        return min(max(_PAUSE_S, _TIMES_AS_LONG * self._call_s), _LONGEST_PAUSE_S)

    async def _classify(self, unit: _Unit, counts: StageCounts) -> None:
        requests = [InferenceRequest(_as_read_by(unit.route, answered), unit.route) for answered in unit.answered]
        try:
            async with asyncio.timeout(self.patience_s):
                outcomes = await self.classifier.classify(requests)
        except TimeoutError:
            late = DeadlineExceeded(f"no answer within {self.patience_s:g} s")
            counts.add(unit.route.version, [ArmResult(late, alone=True)])
            self.classifier.events["mirrored", *metric_labels(unit.route), "failed"] += len(requests)
            return
        except Exception:  # it concerns no live text
            logger.exception(
                "%d mirrored texts could not be classified; the rollout does not count them", len(requests)
            )
            return
        timed = outcomes if unit.timed else [_untimed(outcome) for outcome in outcomes]
        counts.add(unit.route.version, [ArmResult(outcome, alone=True) for outcome in timed])
        for answered, outcome in zip(unit.answered, outcomes, strict=True):
            agreement = counts.compare(answered.id, answered.result, outcome)
            self.classifier.events["mirrored", *metric_labels(unit.route), agreement] += 1


def _as_read_by(route: Route, answered: Answered) -> str:
    """Return the text as normalised for the route: `answered.text` was normalised for the version that answered it."""
    if route.normalizer == answered.result.route.normalizer:
        return answered.text
    return NORMALIZERS[route.normalizer](answered.text)


def _untimed(outcome: InferenceOutcome) -> InferenceOutcome:
    return outcome if isinstance(outcome, Exception) else InferenceResult(outcome.route, outcome.answer)
