"""Takes texts in, chooses the version of each, and queues them for micro-batches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from operator import not_
from typing import Protocol

from sentiment.errors import Overloaded
from sentiment.records import Explanation, Operation, Outcome, RawText
from serve_app.gateway.batching.micro_batcher import MicroBatcher
from serve_app.gateway.batching.ticket import Ticket, results_of
from serve_app.gateway.canary.throughput_baseline import ThroughputBaseline
from serve_app.gateway.inference.request import SubmittedText
from serve_app.gateway.prediction.answer import Prediction
from serve_app.gateway.prediction.dry_run import DryRun
from serve_app.gateway.prediction.persistence import with_words
from serve_app.gateway.prediction.pipeline import Pipeline
from serve_app.gateway.prediction.version_draw import VersionDraw
from serve_app.routing.router import NO_PREFERENCE, Preference, by_chance, steer
from serve_app.routing.traffic_table import Route, TrafficTable

Batcher = MicroBatcher[SubmittedText, Prediction]


class Writing(Protocol):
    """The part that stores operations."""

    async def write(self, operations: list[Operation]) -> list[Outcome]:
        """Store the operations; returns once they are safe on disk."""


@dataclass(eq=False)
class PredictionService:
    """Answers texts by micro-batches.

    The trusted version and the candidates have separate micro-batches. A text for a slow candidate waits for about the
    pipeline's `failover_s`, twice that if the queue is long; then the trusted version answers it.
    """

    pipeline: Pipeline
    primary: Batcher
    """Texts of the trusted version, and texts whose version is to be drawn."""
    candidate: Batcher
    """Texts of candidates."""
    draw: VersionDraw
    dry_run: DryRun
    baseline: ThroughputBaseline
    parts: Writing

    async def predict(
        self,
        texts: Sequence[RawText],
        *,
        bulk: bool = False,
        waits: bool = False,
        preference: Preference = NO_PREFERENCE,
    ) -> list[Prediction | Exception]:
        """Return a stored answer or an error for each text, in order.

        A caller that `waits` sends the same texts again if there is no room, so that the refusal is not counted.

        Raises:
            Overloaded: too many texts are waiting.
            NotFound: the version that the caller pins is not loaded.
            InvalidInput: the fixed split lacks the caller's value.
        """
        table = self.pipeline.require_table()
        submitted = self._submitted(table, texts, preference, bulk=bulk)
        to_candidate = [text.route is not table.trusted for text in submitted]
        try:
            # All texts or none: a refused call must store nothing.
            self.primary.require_room(len(submitted), bulk=bulk)
        except Overloaded:
            if by_chance(table, preference) and not waits and table.succeeded is not None:
                self.baseline.record_refusal()
            raise
        if not any(to_candidate):
            return await self.primary.submit(submitted, bulk=bulk)
        candidate = self._enqueue_candidate(list(compress(submitted, to_candidate)), bulk=bulk)
        primary = self.primary.enqueue(list(compress(submitted, map(not_, to_candidate))), bulk=bulk)
        answers = [iter(results) for results in await results_of(primary, candidate)]
        return [next(answers[is_candidate]) for is_candidate in to_candidate]

    def check(self, preference: Preference) -> None:
        """Raise the errors that `predict` raises for a wrong preference.

        Raises:
            NotFound: the version that the caller pins is not loaded.
            InvalidInput: the fixed split lacks the caller's value.
        """
        steer(self.pipeline.require_table(), preference, None)

    async def probe(self, text: str) -> Prediction:
        """Answer `text` through all parts but the store, without the cache; nothing is stored."""
        return await self.dry_run.probe(self.pipeline.require_table(), text)

    async def explain(self, text: str, preference: Preference = NO_PREFERENCE) -> Explanation:
        """Return which words of `text` moved its answer: that of the pinned version, or else of the trusted one.

        Raises:
            NotFound: the version that the caller pins is not loaded.
        """
        return await self.dry_run.explain(self.pipeline.require_table(), text, preference)

    async def insert(self, raw: RawText) -> tuple[str, Outcome]:
        """Store a text without a label; return its id and the outcome."""
        [clean] = await self.pipeline.preprocess([raw], self.pipeline.require_table().normalizer)
        operation = self.pipeline.persistence.put(raw, with_words(clean), None)
        [outcome] = await self.parts.write([operation])
        return operation.record.id, outcome

    def _submitted(
        self, table: TrafficTable, texts: Sequence[RawText], preference: Preference, *, bulk: bool
    ) -> list[SubmittedText]:
        arrived, pinned, by_weight = time.perf_counter(), preference.version is not None, by_chance(table, preference)
        routes = [self._route(table, preference, raw.author) for raw in texts]
        return [
            SubmittedText(raw, arrived, arrived, route or table.trusted, pinned, by_weight, bulk, undrawn=route is None)
            for raw, route in zip(texts, routes, strict=True)
        ]

    def _route(self, table: TrafficTable, preference: Preference, author: str | None) -> Route | None:
        """Return a text's route, None where it is to be drawn when its micro-batch is sent."""
        route = steer(table, preference, author)
        if route is None and self.primary.stalled_s > self.pipeline.failover_s:  # the next one may be long from now
            return self.draw.now(table)
        return route

    def _enqueue_candidate(self, submitted: list[SubmittedText], *, bulk: bool) -> Ticket[Prediction]:
        """Queue texts for candidates; if there is no room, for the trusted version, which has room.

        Raises:
            Overloaded: there is no room, and the caller pins the version.
        """
        try:
            self.candidate.require_room(len(submitted), bulk=bulk)
        except Overloaded:
            if submitted[0].pinned:
                raise
            return self.primary.enqueue([replace(text, refused=True) for text in submitted], bulk=bulk)
        return self.candidate.enqueue(submitted, bulk=bulk)
