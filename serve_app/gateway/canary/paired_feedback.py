"""Compares both versions of a rollout with feedback: each text with a true label is put to both of them.

That happens whichever version had answered the text, after the feedback is stored, and costs its sender no time.
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

#: Most texts with feedback that may wait, and most that are compared by one call.
_MAX_WAITING: Final = 10_000
_MOST_AT_ONCE: Final = 32
#: Attempts, and seconds between them, for a text that is not in the store yet or that a version does not answer.
_ATTEMPTS: Final = 10
_RETRY_S: Final = 0.3

Read = Callable[[list[str]], Awaitable[dict[str, TextRecord]]]
Take = Callable[[str, list[str]], Awaitable[set[str]]]


@dataclass(slots=True)
class _Labelled:
    id: str
    label: str
    attempts: int = 0


_Pair = tuple[_Labelled, InferenceResult, InferenceResult]


@dataclass(eq=False)
class PairedFeedback:
    """Counts which version is right about texts with feedback, each text once a rollout. Belongs to one event loop."""

    classifier: FailoverClassifier
    metrics: StageMetrics
    table: Callable[[], TrafficTable | None]
    read: Read
    """Returns the stored texts of ids, without those that are not stored."""
    take: Take
    """Returns the ids that no gateway has counted in a rollout yet, and marks them as counted."""
    live: Live
    """The queue of live texts, which go first."""
    patience_s: float = PATIENCE_S
    _waiting: deque[_Labelled] = field(default_factory=deque)
    _task: asyncio.Task[None] | None = None

    def offer(self, text_id: str, label: str) -> None:
        """Queue a text with its true label; does nothing while no rollout is under way."""
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
            except Exception:  # the feedback itself is stored already
                logger.exception(
                    "%d texts with feedback could not be compared; the rollout does not count them", len(batch)
                )

    async def _compare(self, batch: list[_Labelled]) -> None:
        records = await self._find([labelled.id for labelled in batch])
        missing = [labelled for labelled in batch if labelled.id not in records]
        await self._retry(missing)
        table = self.table()
        rivals = table.rivals if table else None
        if table is None or table.rollout is None or rivals is None:
            return
        stored = [labelled for labelled in batch if labelled.id in records]
        texts = [records[labelled.id].text for labelled in stored]
        outcomes = list(zip(stored, *await self._classify(rivals, texts), strict=True))
        pairs = [
            (labelled, champion, challenger)
            for labelled, champion, challenger in outcomes
            if isinstance(champion, InferenceResult) and isinstance(challenger, InferenceResult)
        ]
        await self._count(table.rollout, pairs)
        await self._retry([labelled for labelled, *answers in outcomes if any(map(_has_no_answer, answers))])

    async def _classify(self, rivals: tuple[Route, Route], texts: list[str]) -> list[list[InferenceOutcome]]:
        """Return the outcomes of each of the two versions; one that hangs answers none of the texts."""
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
            logger.info("texts with feedback wait until the store answers: %s", exc)
            return {}

    async def _retry(self, missing: list[_Labelled]) -> None:
        retries = [_Labelled(one.id, one.label, one.attempts + 1) for one in missing if one.attempts < _ATTEMPTS]
        self._waiting.extend(retries)
        if retries and len(retries) == len(self._waiting):
            await asyncio.sleep(_RETRY_S)

    async def _count(self, rollout: str, pairs: list[_Pair]) -> None:
        """Count the pairs that no other gateway has counted."""
        try:
            uncounted = await self.take(rollout, [labelled.id for labelled, *_ in pairs])
        except UndertoneError as exc:
            logger.info("texts with feedback wait to be counted: %s", exc)
            await self._retry([labelled for labelled, *_ in pairs])
            return
        table, counts = self.table(), self.metrics.current()  # anew: the stage may have changed meanwhile
        if table is None or counts is None or table.rollout != rollout:
            return
        for labelled, champion, challenger in pairs:
            if labelled.id in uncounted:
                uncounted.remove(labelled.id)  # the batch may hold two feedbacks on one text
                counts.add_label(labelled.label, champion, challenger)
                self._publish(labelled.label, champion)
                self._publish(labelled.label, challenger)

    def _publish(self, label: str, result: InferenceResult) -> None:
        right = "yes" if result.label == label else "no"
        self.classifier.events["labelled", *metric_labels(result.route), right] += 1


def _has_no_answer(outcome: InferenceOutcome) -> bool:
    """Whether the version did not answer. That it cannot read a text is an answer."""
    return isinstance(outcome, Exception) and not isinstance(outcome, InvalidInput)


def _request(text: str, route: Route) -> InferenceRequest:
    return InferenceRequest(NORMALIZERS[route.normalizer](text), route)
