"""Answers that are not stored: the probe of the whole path, and explanations. They fail over as predictions do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sentiment.errors import UndertoneError
from sentiment.records import Answers, CleanText, Explanation, RawText
from serve_app.gateway.inference.failover import FailoverClassifier
from serve_app.gateway.inference.request import InferenceResult, answer_of
from serve_app.gateway.prediction.answer import Prediction, prediction_of
from serve_app.gateway.prediction.persistence import with_words
from serve_app.routing.router import Preference, pinned_route
from serve_app.routing.traffic_table import Route, TrafficTable

T = TypeVar("T")


class ModelParts(Protocol):
    """The parts that compute an answer; each call carries a micro-batch."""

    async def clean(self, texts: list[RawText], normalizer: str) -> list[CleanText]:
        """Return the texts normalised, masked and hashed, in order."""

    async def classify(self, route: Route, texts: list[str]) -> Answers:
        """Return the answers of the route's version to the texts."""

    async def explain(self, route: Route, text: str) -> Explanation:
        """Return which words moved the answer of the route's version."""


@dataclass(frozen=True)
class DryRun:
    """Calls the trusted version, and if that fails or is late, the champion that stands in for it."""

    parts: ModelParts
    classifier: FailoverClassifier

    async def probe(self, table: TrafficTable, text: str) -> Prediction:
        """Answer `text` through all parts but the store, without the cache."""

        async def ask(route: Route, limit_s: float | None) -> Prediction:
            started = time.perf_counter()
            [clean] = await self.parts.clean([RawText(text)], route.normalizer)
            cleaned = time.perf_counter()
            answers = await self._classify(route, clean.text, limit_s)
            result = InferenceResult(route, answer_of(answers, 0), answers.inference_ms)
            return prediction_of("probe", result, started, started, cleaned)

        return await self._by_trusted(table, text, ask)

    async def explain(self, table: TrafficTable, text: str, preference: Preference) -> Explanation:
        """Return which words of `text` moved its answer: that of the pinned version, or else of the trusted one.

        Raises:
            NotFound: the version that the caller pins is not loaded.
        """

        async def ask(route: Route, limit_s: float | None) -> Explanation:
            [clean] = await self.parts.clean([RawText(text)], route.normalizer)
            words = with_words(clean).text
            if limit_s is not None:  # an explanation takes many passes: one shows within the limit whether it answers
                await self._classify(route, words, limit_s)
            return await self.parts.explain(route, words)

        if preference.version is not None:
            return await ask(pinned_route(table, preference.version), None)
        return await self._by_trusted(table, text, ask)

    async def _classify(self, route: Route, text: str, limit_s: float | None) -> Answers:
        async with asyncio.timeout(limit_s):
            return await self.parts.classify(route, [text])

    async def _by_trusted(
        self, table: TrafficTable, text: str, ask: Callable[[Route, float | None], Awaitable[T]]
    ) -> T:
        try:
            return await ask(table.trusted, self.classifier.limit_s(table.stand_in, len(text)))
        except (UndertoneError, TimeoutError):
            if table.stand_in is None:
                raise
        return await ask(table.stand_in, None)
