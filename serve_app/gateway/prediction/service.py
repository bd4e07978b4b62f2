"""The front desk of predictions: takes texts in, chooses who answers, and hands them to the queues of micro-batches."""

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
    """The part that keeps what is written."""

    async def write(self, operations: list[Operation]) -> list[Outcome]:
        """Keep the operations; returns once they are safe."""


@dataclass(eq=False)
class PredictionService:
    """Answers texts by micro-batches.

    Each version has its micro-batches to itself: texts for a slow one on trial wait for about the pipeline's
    `failover_s`, twice where the queue is long; then the trusted version answers them. A challenger with all the
    traffic is the trusted one; what it fails on the champion answers as long as it is loaded.
    """

    pipeline: Pipeline
    #: Texts of the trusted version, and texts whose version is yet to be drawn.
    primary: Batcher
    #: Texts of versions on trial.
    candidate: Batcher
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
        """Return an answer that is kept, or an error, for each text and in order.

        A caller that `waits` comes back with the same texts where there is no room, so that nobody is refused.

        Raises:
            Overloaded: too many texts are waiting.
            NotFound: the version that the caller pins is not loaded.
            InvalidInput: the split that is in force has not the caller's value.
        """
        table = self.pipeline.require_table()
        submitted = self._submitted(table, texts, preference, bulk=bulk)
        on_trial = [text.route is not table.trusted for text in submitted]
        try:
            # refused as a whole, or a part would be kept all the same
            self.primary.require_room(len(submitted), bulk=bulk)
        except Overloaded:
            if by_chance(table, preference) and not waits and table.succeeded is not None:
                self.baseline.refuse()
            raise
        if not any(on_trial):
            return await self.primary.submit(submitted, bulk=bulk)
        candidate = self._to_candidate(list(compress(submitted, on_trial)), bulk=bulk)
        primary = self.primary.enqueue(list(compress(submitted, map(not_, on_trial))), bulk=bulk)
        answers = [iter(results) for results in await results_of(primary, candidate)]
        return [next(answers[trial]) for trial in on_trial]

    def check(self, preference: Preference) -> None:
        """Raise what `predict` would raise at once for texts of this preference."""
        steer(self.pipeline.require_table(), preference, None)

    async def probe(self, text: str) -> Prediction:
        """Answer `text` through all parts but the store: nothing is kept, no cache helps."""
        return await self.dry_run.probe(self.pipeline.require_table(), text)

    async def explain(self, text: str, preference: Preference = NO_PREFERENCE) -> Explanation:
        """Return which words of `text` moved its answer, by the trusted version or the one asked for; nothing is kept.

        Raises:
            NotFound: the version that the caller pins is not loaded.
        """
        return await self.dry_run.explain(self.pipeline.require_table(), text, preference)

    async def insert(self, raw: RawText) -> tuple[str, Outcome]:
        """Keep a text without a label; return its id and what became of it."""
        [clean] = await self.pipeline.preprocess([raw], self.pipeline.require_table().normalizer)
        operation = self.pipeline.persistence.put(raw, with_words(clean), None)
        [outcome] = await self.parts.write([operation])
        return operation.record.id, outcome

    def _submitted(
        self, table: TrafficTable, texts: Sequence[RawText], preference: Preference, *, bulk: bool
    ) -> list[SubmittedText]:
        arrived, pinned, drawn = time.perf_counter(), preference.version is not None, by_chance(table, preference)
        routes = [self._route(table, preference, raw.author) for raw in texts]
        return [
            SubmittedText(raw, arrived, arrived, route or table.trusted, pinned, drawn, bulk, undrawn=route is None)
            for raw, route in zip(texts, routes, strict=True)
        ]

    def _route(self, table: TrafficTable, preference: Preference, author: str | None) -> Route | None:
        """Return a text's route, None where it shall be drawn once its micro-batch is sent."""
        route = steer(table, preference, author)
        if route is None and self.primary.stalled_s > self.pipeline.failover_s:  # that may be long from now
            return self.draw.now(table)
        return route

    def _to_candidate(self, submitted: list[SubmittedText], *, bulk: bool) -> Ticket[Prediction]:
        """Hand texts to versions on trial, or to the trusted one, which has room for them, where these have none."""
        try:
            self.candidate.require_room(len(submitted), bulk=bulk)
        except Overloaded:
            if submitted[0].pinned:
                raise
            return self.primary.enqueue([replace(text, refused=True) for text in submitted], bulk=bulk)
        return self.candidate.enqueue(submitted, bulk=bulk)
