"""Runs the ingests that the ledger lists: one task each, which is started, ended and tried again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from sentiment.errors import Conflict, DeadlineExceeded, KeyRefused, Overloaded, Unavailable, UndertoneError
from sentiment.ingest import IngestRequest
from sentiment.ingest.request import with_fields
from sentiment.redaction import without_folders
from serve_app.ingest.ledger import DesiredState, IngestLedger, IngestOrder, IngestPhase, IngestReport

logger = logging.getLogger(__name__)

#: The pause between two looks at what is wanted.
LOOK_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 60.0
#: What passes by itself: a platform that starts, a key that is new to it, a command line that still runs the ingest.
_PASSING: Final = (Conflict, DeadlineExceeded, KeyRefused, Overloaded, Unavailable)
_UNFORESEEN: Final = "an unexpected error; ingest.log among the platform's logs says more"


@dataclass
class IngestRun:
    """One revision of an ingest under way, which reports to the ledger; `failures` counts since the last progress."""

    ledger: IngestLedger
    order: IngestOrder
    expected: int | None = None
    failures: int = 0

    def say(self, phase: IngestPhase, problem: str | None = None) -> None:
        """Say how it goes."""
        name, revision = self.order.request.name, self.order.revision
        self.ledger.report(name, IngestReport(revision, phase, problem, self.expected))

    def opened(self, expected: int | None) -> None:
        """Take note that the source is open, and of how many records it has, None where nobody knows."""
        self.expected = expected
        if not self.failures:
            self.say(IngestPhase.RUNNING)

    def progressed(self) -> None:
        """Take note that a batch was answered."""
        if self.failures:
            self.failures = 0
            self.say(IngestPhase.RUNNING)


def _public(problem: Exception) -> str:
    """Return what the API says of a problem: its own fields for the command line's options, and no folders."""
    return without_folders(with_fields(str(problem)))


#: Carries out an ingest from where it is, to its end.
Carry = Callable[[IngestRequest, IngestRun], Awaitable[object]]


@dataclass(eq=False)
class IngestWorker:
    """Runs the loop. `carry` does the work of one ingest; cancelled, it leaves what it needs to go on."""

    ledger: IngestLedger
    carry: Carry
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _tasks: dict[str, tuple[IngestOrder, asyncio.Task[None]]] = field(default_factory=dict)

    async def run(self) -> None:
        """Look again and again, until cancelled; then end what is under way."""
        try:
            while True:
                await self.step()
                await self.sleep(LOOK_S)
        finally:
            for name in list(self._tasks):
                await self._end(name)

    async def step(self) -> None:
        """Begin and end tasks, so that what runs is what is wanted."""
        try:
            orders = await asyncio.to_thread(self.ledger.orders)
        except (UndertoneError, OSError, ValueError, KeyError) as exc:
            logger.warning("which ingests to run cannot be read; trying again: %s", exc)
            return
        for name, (order, task) in list(self._tasks.items()):
            if task.done() or orders.get(name) != order:
                await self._end(name)
        for name, order in orders.items():
            if name not in self._tasks and self._is_due(name, order):
                self._tasks[name] = (order, asyncio.create_task(self._carry(IngestRun(self.ledger, order))))

    def _is_due(self, name: str, order: IngestOrder) -> bool:
        if order.desired is not DesiredState.RUNNING:
            return False
        report = self.ledger.reported(name)
        is_over = report is not None and report.phase in (IngestPhase.FINISHED, IngestPhase.FAILED)
        return not (is_over and report is not None and report.revision == order.revision)

    async def _end(self, name: str) -> None:
        _, task = self._tasks.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _carry(self, run: IngestRun) -> None:
        """Carry out one revision to its end, trying again whatever passes by itself."""
        name = run.order.request.name
        while True:
            try:
                await self.carry(run.order.request, run)
            except _PASSING as exc:
                run.failures += 1
                run.say(IngestPhase.WAITING, _public(exc))
                logger.warning("the ingest %s waits and will try again: %s", name, exc)
                await self.sleep(min(2.0**run.failures, _LONGEST_PAUSE_S))
                continue
            except UndertoneError as exc:
                run.say(IngestPhase.FAILED, _public(exc))
            except Exception:  # the others go on, whatever becomes of this one
                logger.exception("the ingest %s failed", name)
                run.say(IngestPhase.FAILED, _UNFORESEEN)
            else:
                run.say(IngestPhase.FINISHED)
            return
