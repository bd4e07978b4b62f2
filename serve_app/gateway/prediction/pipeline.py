"""Processes one micro-batch: normalise, classify, store, record. Knows neither HTTP nor Ray."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from sentiment.errors import NoModel
from sentiment.records import CleanText, RawText
from sentiment.text import NORMALIZERS
from serve_app.gateway.batching.write_coalescing import Lane, LaneActivity
from serve_app.gateway.canary.batch_recorder import BatchRecorder
from serve_app.gateway.inference.failover import FailoverClassifier
from serve_app.gateway.inference.request import (
    InferenceOutcome,
    InferenceRequest,
    InferenceResult,
    PreparedText,
    SubmittedText,
    gets_texts,
    metric_labels,
)
from serve_app.gateway.prediction.answer import Prediction, prediction_of
from serve_app.gateway.prediction.persistence import Persistence
from serve_app.routing.traffic_table import Route, TrafficTable

#: Gets the model and the version of a micro-batch, and the milliseconds that its first text took.
Observe = Callable[[str, int, float], None]


class Preprocess(Protocol):
    """Normalises, masks and hashes texts."""

    async def __call__(self, texts: list[RawText], normalizer: str, /) -> list[CleanText]:
        """Return the texts cleaned with that normaliser, in order."""


@dataclass(frozen=True, slots=True)
class _AnsweredBatch:
    """A micro-batch that was answered and is not stored yet. Times are seconds of `perf_counter`."""

    table: TrafficTable
    texts: list[PreparedText]
    own_results: list[InferenceOutcome]
    served_results: list[InferenceOutcome]
    started: float
    cleaned: float


@dataclass(eq=False)
class Pipeline:
    """Answers micro-batches. Belongs to one event loop."""

    table: Callable[[], TrafficTable | None]
    """Returns the traffic table in force, None before the first."""
    preprocess: Preprocess
    classifier: FailoverClassifier
    persistence: Persistence
    recorder: BatchRecorder
    lanes: LaneActivity
    failover_s: float
    """Seconds that a text waits for a candidate before the trusted version answers it."""
    observe: Observe | None = None

    def require_table(self) -> TrafficTable:
        """Return the traffic table in force.

        Raises:
            NoModel: there is none yet, or it is empty.
        """
        table = self.table()
        if table is None or not table.routes:
            raise NoModel("no model version is loaded yet; try again in a moment")
        return table

    async def answer(self, lane: Lane, batch: list[SubmittedText]) -> Awaitable[list[Prediction | Exception]]:
        """Classify a micro-batch; the awaitable that is returned stores it, while the next one is classified."""
        started = time.perf_counter()
        table = self.require_table()
        with self.lanes.at_work(lane, started):
            cleans = await self.preprocess([submitted.raw for submitted in batch], table.normalizer)
            cleaned = time.perf_counter()
            requests = (self._request(table, item, clean) for item, clean in zip(batch, cleans, strict=True))
            texts = list(map(PreparedText, batch, cleans, requests))
            own, served = await self.classifier.classify_with_failover([text.request for text in texts])
        wait_s = self.lanes.wait_s(lane, started, time.perf_counter())
        return self._store(_AnsweredBatch(table, texts, own, served, started, cleaned), wait_s)

    async def _store(self, batch: _AnsweredBatch, wait_s: float) -> list[Prediction | Exception]:
        """Store and record a micro-batch; the write may wait up to `wait_s` seconds for another one."""
        raws, cleans = [text.submitted.raw for text in batch.texts], [text.clean for text in batch.texts]
        stored = await self.persistence.store(raws, cleans, batch.served_results, wait_s)
        self.recorder.record(batch.table, batch.texts, batch.own_results, batch.served_results, stored)
        self._count(batch.texts[0].submitted.arrived, batch.served_results)
        return [
            outcome
            if isinstance(outcome, Exception)
            else prediction_of(id_, outcome, text.submitted.arrived, batch.started, batch.cleaned)
            for text, (id_, outcome) in zip(batch.texts, stored, strict=True)
        ]

    def _request(self, table: TrafficTable, submitted: SubmittedText, clean: CleanText) -> InferenceRequest:
        """Return the request to the chosen route, or to the trusted one if that has lost its weight or is late."""
        trusted, route = table.trusted, table.of_version(submitted.route.version)
        if submitted.pinned:
            return _request_to(table, submitted.raw, clean, route or submitted.route, None)
        if route is None or route is trusted or not gets_texts(table, route):
            return _request_to(table, submitted.raw, clean, trusted, table.stand_in)
        is_late = not submitted.bulk and time.perf_counter() - submitted.handed > self.failover_s
        if submitted.refused or is_late:
            self.classifier.events["failovers", *metric_labels(route)] += 1
            return _request_to(table, submitted.raw, clean, trusted, table.stand_in)
        return _request_to(table, submitted.raw, clean, route, trusted)

    def _count(self, arrived: float, outcomes: list[InferenceOutcome]) -> None:
        """Count the answers, and observe once a version how long the first text of the micro-batch took."""
        results = [outcome for outcome in outcomes if isinstance(outcome, InferenceResult)]
        for result in results:
            self.classifier.events["answers", *metric_labels(result.route), result.label] += 1
        if self.observe is not None:
            elapsed_ms = (time.perf_counter() - arrived) * 1000
            for model, version in {(result.route.model, result.route.version) for result in results}:
                self.observe(model, version, elapsed_ms)


def _request_to(
    table: TrafficTable, raw: RawText, clean: CleanText, route: Route, fallback: Route | None
) -> InferenceRequest:
    """Return a request with the text as each version's own normaliser leaves it; `clean` is from the table's."""
    if not clean.text or all(each.normalizer == table.normalizer for each in (route, fallback or route)):
        return InferenceRequest(clean.text, route, fallback)
    fallback_text = NORMALIZERS[fallback.normalizer](raw.text) if fallback else None
    return InferenceRequest(NORMALIZERS[route.normalizer](raw.text), route, fallback, fallback_text)
