"""What the HTTP routes call: predictions, the stored texts, the state of the platform. Knows neither HTTP nor Ray."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sentiment.errors import NotFound, Overloaded, Unavailable, UndertoneError
from sentiment.records import (
    AddFeedback,
    DeleteText,
    Explanation,
    Operation,
    Outcome,
    Page,
    RawText,
    SetLabel,
    TextQuery,
    TextRecord,
)
from sentiment.store import TextStore
from sentiment.text import CURRENT_NORMALIZER, NORMALIZERS, keyed_digest
from serve_app.gateway.canary.paired_feedback import PairedFeedback
from serve_app.gateway.inference.answer_cache import text_digest
from serve_app.gateway.prediction.answer import Prediction
from serve_app.gateway.prediction.persistence import problem_with
from serve_app.gateway.prediction.service import PredictionService
from serve_app.routing.model_list import read_listing
from serve_app.routing.router import NO_PREFERENCE, Preference
from serve_app.routing.traffic_table import TrafficTable

#: The cache knows normalised texts; the store may keep raw ones.
_NORMALIZE = NORMALIZERS[CURRENT_NORMALIZER]
_PROBE_TEXT = "a probe of the whole path, kept nowhere"


@dataclass(eq=False)
class Backend:
    """One gateway's view of the platform.

    `forget` tells all gateways to drop a text's answers (its digest, or None for all answers); `sink_state` asks a sink
    how it is; `metrics` returns the node's metrics as Prometheus text.
    """

    service: PredictionService
    pairs: PairedFeedback
    store: TextStore
    secret: bytes
    model_name: str
    table: Callable[[], TrafficTable | None]
    forget: Callable[[bytes | None], Awaitable[None]]
    sink_state: Callable[[], Awaitable[dict[str, Any]]]
    metrics: Callable[[], Awaitable[str]]
    explain_concurrency: int
    store_is_needed: bool
    now_ms: Callable[[], int]

    def __post_init__(self) -> None:
        self._explaining = 0

    async def predict(self, raw: RawText, preference: Preference = NO_PREFERENCE) -> Prediction:
        """Answer one text and keep it. Raises what went wrong with it."""
        [result] = await self.service.predict([raw], preference=preference)
        if isinstance(result, Exception):
            raise result
        return result

    async def explain(self, text: str, preference: Preference = NO_PREFERENCE) -> Explanation:
        """Explain an answer.

        Raises:
            Overloaded: as many explanations as allowed are under way.
        """
        if self._explaining >= self.explain_concurrency:
            raise Overloaded(f"{self._explaining} explanations are under way, the most at once; try again soon")
        self._explaining += 1
        try:
            return await self.service.explain(text, preference)
        finally:
            self._explaining -= 1

    async def insert(self, raw: RawText) -> str:
        """Keep a text without a label and return its id."""
        id_, outcome = await self.service.insert(raw)
        _check(outcome, id_)
        return id_

    async def text(self, id_: str) -> TextRecord:
        """Return a stored text. Raises NotFound."""
        record = await asyncio.to_thread(self.store.get, id_)
        if record is None:
            raise NotFound(f"there is no text {id_!r}")
        return record

    async def page(self, query: TextQuery, limit: int, after: str | None) -> Page:
        """Return one page of the stored texts, newest first."""
        return await asyncio.to_thread(self.store.page, query, limit, after)

    async def label(self, id_: str, label: str) -> int:
        """Give a stored text a label; return when, in epoch ms. Raises NotFound."""
        now = self.now_ms()
        await self._apply(SetLabel(id_, label, now), id_)
        return now

    async def add_feedback(self, id_: str, label: str, source: str) -> int:
        """Note what `source` says that a stored text's label is; return when, in epoch ms. Raises NotFound."""
        [result] = await self.add_feedback_batch([(id_, label, source)])
        if isinstance(result, UndertoneError):
            raise result
        return result

    async def add_feedback_batch(self, words: Sequence[tuple[str, str, str]]) -> list[int | UndertoneError]:
        """Note what sources say of stored texts, as (id, label, source); return for each when, or what is wrong."""
        now = self.now_ms()
        operations: list[Operation] = [AddFeedback(id_, label, source, now) for id_, label, source in words]
        outcomes = await self.service.parts.write(operations) if operations else []
        results: list[int | UndertoneError] = []
        for (id_, label, _), outcome in zip(words, outcomes, strict=True):
            problem = problem_with(outcome, id_)
            if problem is None:
                self.pairs.offer(id_, label)
            results.append(problem or now)
        return results

    async def delete(self, id_: str) -> None:
        """Forget a text: in the journal, the store and all gateways' caches. Raises NotFound."""
        try:
            record = await asyncio.to_thread(self.store.get, id_)
        except Unavailable:
            record = None  # the journal keeps the deletion; what the text was is not known, so all answers go
        received_ms = record.received_at_ms if record else 0  # by another node's clock, which may be ahead
        await self._apply(DeleteText(id_, max(self.now_ms(), received_ms)), id_)
        await self.forget(text_digest(_NORMALIZE(record.text)) if record and self._reads_as_kept() else None)

    def _reads_as_kept(self) -> bool:
        """Whether all versions that are loaded read a text as the current normaliser leaves it, as it is kept."""
        table = self.table()
        return table is not None and all(route.normalizer == CURRENT_NORMALIZER for route in table.routes)

    def author_key(self, author: str) -> str:
        """Return the key under which texts of `author` are kept."""
        return keyed_digest(self.secret, author)

    async def models(self) -> list[dict[str, Any]]:
        """Return the registered versions, oldest first, with the shares of traffic that this gateway gives them."""
        return await asyncio.to_thread(read_listing, self.store, self.model_name)

    async def model_answers(self) -> bool:
        """Whether the model answers a real text, which is not kept; one that has too much to do does."""
        try:
            await self.service.probe(_PROBE_TEXT)
        except UndertoneError as exc:
            return isinstance(exc, Overloaded)
        return True

    async def readiness(self) -> tuple[bool, dict[str, str]]:
        """Make a real prediction that is not kept, ask the sink, and say for each part how it is."""
        path, sink = await asyncio.gather(self._probe(), self._sink())
        store = "ok" if sink.get("store_reachable") else "away"
        kept = "ok" if "store_reachable" in sink else str(sink["error"])
        parts = {"model": path, "sink": kept, "store": store if kept == "ok" else "unknown"}
        needed = parts if self.store_is_needed else {name: parts[name] for name in ("model", "sink")}
        return all(state == "ok" for state in needed.values()), parts

    async def _probe(self) -> str:
        try:
            await self.service.probe(_PROBE_TEXT)
        except UndertoneError as exc:
            return str(exc)
        return "ok"

    async def _sink(self) -> dict[str, Any]:
        try:
            return await self.sink_state()
        except UndertoneError as exc:
            return {"error": str(exc)}

    async def _apply(self, operation: Operation, id_: str) -> None:
        [outcome] = await self.service.parts.write([operation])
        _check(outcome, id_)


def _check(outcome: Outcome, id_: str) -> None:
    if problem := problem_with(outcome, id_):
        raise problem
