"""Feedback on texts while a rollout runs: both versions are held to what somebody says the label truly is.

Every labelled text makes a pair, whichever version answered it. That happens after the feedback is safe, and costs its
sender nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from sentiment.errors import DeadlineExceeded, InvalidInput, UndertoneError
from sentiment.records import TextRecord
from sentiment.text import NORMALIZERS
from serve_app.gateway.canary.shadow import PATIENCE_S, Live, lull
from serve_app.gateway.canary.stage_metrics import StageMetrics
from serve_app.gateway.inference.failover import FailoverClassifier
from serve_app.gateway.inference.request import InferenceOutcome, InferenceRequest, InferenceResult, metric_labels
from serve_app.routing.traffic_table import Route, TrafficTable

logger = logging.getLogger(__name__)

#: Labelled texts that may wait, and how many are compared by one call.
_MAX_WAITING: Final = 10_000
_MOST_AT_ONCE: Final = 32
#: How often, and how long apart, a text is tried that is on its way to the store, or that a version does not answer.
_LOOKS: Final = 10
_LOOK_S: Final = 0.3

Read = Callable[[list[str]], Awaitable[dict[str, TextRecord]]]
Take = Callable[[str, list[str]], Awaitable[set[str]]]


@dataclass(slots=True)
class _Labelled:
    id: str
    label: str
    looks: int = 0


_Pair = tuple[_Labelled, InferenceResult, InferenceResult]


@dataclass(eq=False)
class PairedFeedback:
    """Counts which version is right about labelled texts, each once in a rollout. Belongs to one event loop.

    `read` returns the texts of ids that are in the store, `take` the ids that no gateway has counted in a rollout yet;
    `live` is the queue of the texts that go first.
    """

    classifier: FailoverClassifier
    metrics: StageMetrics
    table: Callable[[], TrafficTable | None]
    read: Read
    take: Take
    live: Live
    patience_s: float = PATIENCE_S
    _waiting: deque[_Labelled] = field(default_factory=deque)
    _task: asyncio.Task[None] | None = None

    def offer(self, text_id: str, label: str) -> None:
        """Take the true label of a text, unless no rollout is under way."""
        if self.metrics.current() is None or len(self._waiting) >= _MAX_WAITING:
            return
        self._waiting.append(_Labelled(text_id, label))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._waiting:
            await lull(self.live)
            batch = [self._waiting.popleft() for _ in range(min(_MOST_AT_ONCE, len(self._waiting)))]
            try:
                await self._compare(batch)
            except Exception:  # whatever it was, the feedback itself is kept
                logger.exception("%d labelled texts were not compared", len(batch))

    async def _compare(self, batch: list[_Labelled]) -> None:
        records = await self._find([labelled.id for labelled in batch])
        missing = [labelled for labelled in batch if labelled.id not in records]
        await self._look_again(missing)
        table = self.table()
        rivals = table.rivals if table else None
        if table is None or table.rollout is None or rivals is None:
            return
        there = [labelled for labelled in batch if labelled.id in records]
        texts = [records[labelled.id].text for labelled in there]
        outcomes = await self._ask(rivals, texts)
        pairs = [
            (labelled, champion, challenger)
            for labelled, champion, challenger in zip(there, *outcomes, strict=True)
            if isinstance(champion, InferenceResult) and isinstance(challenger, InferenceResult)
        ]
        await self._count(table.rollout, pairs)
        pairs_of = zip(there, *outcomes, strict=True)
        await self._look_again([text for text, *answers in pairs_of if any(map(_has_no_answer, answers))])

    async def _ask(self, rivals: tuple[Route, Route], texts: list[str]) -> list[list[InferenceOutcome]]:
        """Return what each of the two says to the texts; a version that hangs answers none of them."""
        try:
            async with asyncio.timeout(self.patience_s):
                return [await self.classifier.classify([_request(text, route) for text in texts]) for route in rivals]
        except TimeoutError:
            late = DeadlineExceeded(f"no answer within {self.patience_s:g} s")
            return [[late] * len(texts)] * len(rivals)

    async def _find(self, ids: list[str]) -> dict[str, TextRecord]:
        try:
            return await self.read(ids)
        except UndertoneError as exc:
            logger.info("labelled texts wait for the store: %s", exc)
            return {}

    async def _look_again(self, missing: list[_Labelled]) -> None:
        again = [_Labelled(one.id, one.label, one.looks + 1) for one in missing if one.looks < _LOOKS]
        self._waiting.extend(again)
        if again and len(again) == len(self._waiting):
            await asyncio.sleep(_LOOK_S)

    async def _count(self, rollout: str, pairs: list[_Pair]) -> None:
        """Count what no other gateway has counted."""
        try:
            fresh = await self.take(rollout, [labelled.id for labelled, *_ in pairs])
        except UndertoneError as exc:
            logger.info("labelled texts wait to be counted: %s", exc)
            await self._look_again([labelled for labelled, *_ in pairs])
            return
        table, counts = self.table(), self.metrics.current()  # of the stage that is under way by now
        if table is None or counts is None or table.rollout != rollout:
            return
        for labelled, champion, challenger in pairs:
            if labelled.id in fresh:
                fresh.remove(labelled.id)  # others may speak about the same text at the same moment
                counts.add_label(labelled.label, champion, challenger)
                self._publish(labelled.label, champion)
                self._publish(labelled.label, challenger)

    def _publish(self, label: str, result: InferenceResult) -> None:
        right = "yes" if result.label == label else "no"
        self.classifier.events["labelled", *metric_labels(result.route), right] += 1


def _has_no_answer(outcome: InferenceOutcome) -> bool:
    """Whether the version did not answer; a text that it cannot read it did."""
    return isinstance(outcome, Exception) and not isinstance(outcome, InvalidInput)


def _request(text: str, route: Route) -> InferenceRequest:
    return InferenceRequest(NORMALIZERS[route.normalizer](text), route)
