"""One ingest: reads a source, keeps some batches under way, and moves the position in the order of the source."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from sentiment.client.bulk import BATCH_ROWS, IN_FLIGHT
from sentiment.ingest.batches import batches_of
from sentiment.ingest.checkpoint import IngestCheckpoint
from sentiment.ingest.delivery import Delivery
from sentiment.ingest.delivery_plan import DeliveryPlan, RecentDeletions
from sentiment.ingest.totals import IngestTotals
from sentiment.sources import Arrival, Passed, Rejected, SourceText, TextSource, paced
from sentiment.text import CURRENT_NORMALIZER, NORMALIZERS, near_duplicate_key

_NORMALIZE: Final = NORMALIZERS[CURRENT_NORMALIZER]
#: The store takes a text for newer than a deletion of its id from the next millisecond on.
_AFTER_DELETION_S: Final = 0.002
_Answers = asyncio.Task[list[str | None]]
#: Batches under way with their answers, in the order of the source; None is the end.
_UnderWay = asyncio.Queue[tuple[DeliveryPlan, _Answers] | None]


@dataclass(frozen=True)
class IngestLimits:
    """How much at once, how fast, and until when."""

    batch_rows: int = BATCH_ROWS
    in_flight: int = IN_FLIGHT
    #: How long a text that has come waits for others.
    linger_s: float = 0.25
    #: How many times faster than its own the source comes; None for as fast as it is answered.
    speed: float | None = None
    #: Records to read in all runs together; None for all.
    records: int | None = None


@dataclass(eq=False)
class Ingest:
    """Reads `source` from where `checkpoint` is. `progress` gets the totals whenever a batch was answered."""

    source: TextSource
    delivery: Delivery
    checkpoint: IngestCheckpoint
    limits: IngestLimits = field(default_factory=IngestLimits)
    progress: Callable[[IngestTotals], None] = lambda _: None
    clock_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def __post_init__(self) -> None:
        state = self.checkpoint.state
        self.totals, self._position = IngestTotals.of(state.totals.plain()), state.position
        self._counted_s = self.clock_s()
        self._calls = set[_Answers]()
        self._deletions = RecentDeletions()

    async def run(self) -> IngestTotals:
        """Read to the end, or to the limit, and return the totals.

        Raises:
            InvalidInput: the source is not the one of the run before.
            Unavailable, Overloaded, DeadlineExceeded: the platform was away too long; another run continues.
        """
        # Beside what the queue holds, one batch is waited for and one waits for room.
        under_way: _UnderWay = asyncio.Queue(max(self.limits.in_flight - 2, 1))
        settler, sender = asyncio.create_task(self._settle(under_way)), asyncio.create_task(self._send(under_way))
        try:
            await settler
            await sender
        finally:
            await _cancelled(settler, sender, *self._calls)
        self._save(is_finished=True)
        return self.totals

    async def _send(self, under_way: _UnderWay) -> None:
        """Send batches as long as there is room; they are settled in the order of the source."""
        arrivals = paced(self._within_limit(), self.limits.speed, self.clock_s, self.sleep)
        try:
            async for batch in batches_of(arrivals, self.limits.batch_rows, self.limits.linger_s):
                plan = self._deletions.plan(batch)
                answers = self._called(self._deliver(plan, set(self._calls)))
                await under_way.put((plan, answers))
                if plan.is_ordered:
                    await asyncio.wait({answers})
        finally:
            if not _is_cancelled():
                await under_way.put(None)

    async def _deliver(self, plan: DeliveryPlan, earlier: set[_Answers]) -> list[str | None]:
        """Carry a plan out; return for each of its texts why it was refused, None where it was kept."""
        if plan.is_ordered and earlier:
            await asyncio.wait(earlier)
        if plan.replaced:
            await self.delivery.delete(sorted(plan.replaced))
            await asyncio.sleep(_AFTER_DELETION_S)
        answers = await self.delivery.send(plan.texts) if plan.texts else []
        if plan.deleted:
            await self.delivery.delete(sorted(plan.deleted))
        return answers

    def _called(self, call: Coroutine[None, None, list[str | None]]) -> _Answers:
        task = asyncio.create_task(call)
        self._calls.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, call: _Answers) -> None:
        """Forget a call; of several that fail only the first in the order of the source is raised."""
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()

    async def _within_limit(self) -> AsyncGenerator[Arrival]:
        most, read = self.limits.records, self.totals.read
        if most is not None and read >= most:
            return
        async with aclosing(self.source.arrivals(self._position)) as arrivals:
            async for arrival in arrivals:
                yield arrival
                read += arrival.records
                if most is not None and read >= most:
                    return

    async def _settle(self, under_way: _UnderWay) -> None:
        while entry := await under_way.get():
            plan, answers = entry
            self._count(plan, await answers)
            self._position = plan.batch[-1].position
            self._save()
            self.progress(self.totals)

    def _count(self, plan: DeliveryPlan, answers: Sequence[str | None]) -> None:
        reasons = iter(answers)
        for place, arrival in enumerate(plan.batch):
            self.totals.read += arrival.records
            match arrival.record:
                case Passed(records=records):
                    self.totals.without_text += records
                case Rejected(reason=reason, values=values):
                    self.totals.rejected += 1
                    self.checkpoint.set_aside(arrival.place, reason, values)
                case SourceText() as text if place not in plan.dropped:
                    self._count_text(arrival, text, next(reasons))
                case _:
                    self.totals.deleted += 1

    def _count_text(self, arrival: Arrival, text: SourceText, reason: str | None) -> None:
        if reason is not None:
            self.totals.rejected += 1
            self.checkpoint.set_aside(arrival.place, reason, {"id": text.id, "text": text.text, "author": text.author})
            return
        recent = self.checkpoint.recent
        if recent.knows_id(text.id):
            self.totals.repeated += 1
            return
        content = near_duplicate_key(_NORMALIZE(text.text))
        self.totals.kept += 1
        self.totals.folded += recent.knows_content(content)
        self.totals.corrected += text.is_corrected
        recent.add(text.id, content)

    def _save(self, *, is_finished: bool = False) -> None:
        now_s = self.clock_s()
        self.totals.seconds += now_s - self._counted_s
        self._counted_s = now_s
        self.checkpoint.save(self._position, self.totals, is_finished=is_finished)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, and wait for their end; their errors are dropped."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
