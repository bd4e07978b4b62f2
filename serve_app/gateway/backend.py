"""What the HTTP routes call: predictions, stored texts, the platform's state. Knows neither HTTP nor Ray."""

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

#: The cache has normalised texts; the store may have raw ones.
_NORMALIZE = NORMALIZERS[CURRENT_NORMALIZER]
_PROBE_TEXT = "a probe of the whole path, kept nowhere"


@dataclass(eq=False)
class Backend:
    """One gateway's view of the platform."""

    service: PredictionService
    pairs: PairedFeedback
    store: TextStore
    secret: bytes
    model_name: str
    table: Callable[[], TrafficTable | None]
    forget: Callable[[bytes | None], Awaitable[None]]
    """Makes all gateways drop the answers to a text from their caches: by its digest, or all answers for None."""
    sink_state: Callable[[], Awaitable[dict[str, Any]]]
    """Returns the state of a sink."""
    metrics: Callable[[], Awaitable[str]]
    """Returns the node's metrics as Prometheus text."""
    explain_concurrency: int
    """Most explanations under way at once."""
    store_is_needed: bool
    """Whether the platform is not ready while the text store is away."""
    now_ms: Callable[[], int]

    def __post_init__(self) -> None:
        self._explaining = 0

    async def predict(self, raw: RawText, preference: Preference = NO_PREFERENCE) -> Prediction:
        """Answer one text and store it. Raises the error of a text that could not be answered or stored."""
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
            raise Overloaded(f"{self._explaining} explanations are under way, no more are allowed; try again soon")
        self._explaining += 1
        try:
            return await self.service.explain(text, preference)
        finally:
            self._explaining -= 1

    async def insert(self, raw: RawText) -> str:
        """Store a text without a label and return its id."""
        id_, outcome = await self.service.insert(raw)
        _check(outcome, id_)
        return id_

    async def text(self, id_: str) -> TextRecord:
        """Return a stored text. Raises NotFound."""
        record = await asyncio.to_thread(self.store.get, id_)
        if record is None:
            raise NotFound(f"there is no text with the id {id_!r}")
        return record

    async def page(self, query: TextQuery, limit: int, after: str | None) -> Page:
        """Return one page of the stored texts, newest first."""
        return await asyncio.to_thread(self.store.page, query, limit, after)

    async def label(self, id_: str, label: str) -> int:
        """Give a stored text a label; return the time, in epoch ms. Raises NotFound."""
        now = self.now_ms()
        await self._apply(SetLabel(id_, label, now), id_)
        return now

    async def add_feedback(self, id_: str, label: str, source: str) -> int:
        """Store the label that `source` gives a stored text; return the time, in epoch ms. Raises NotFound."""
        [result] = await self.add_feedback_batch([(id_, label, source)])
        if isinstance(result, UndertoneError):
            raise result
        return result

    async def add_feedback_batch(self, feedback: Sequence[tuple[str, str, str]]) -> list[int | UndertoneError]:
        """Store feedback, as (id, label, source); return for each the time, in epoch ms, or the error."""
        now = self.now_ms()
        operations: list[Operation] = [AddFeedback(id_, label, source, now) for id_, label, source in feedback]
        outcomes = await self.service.parts.write(operations) if operations else []
        results: list[int | UndertoneError] = []
        for (id_, label, _), outcome in zip(feedback, outcomes, strict=True):
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
            record = None  # the journal keeps the deletion; the text is unknown, so all cached answers are dropped
        received_ms = record.received_at_ms if record else 0  # another node's clock may be ahead
        await self._apply(DeleteText(id_, max(self.now_ms(), received_ms)), id_)
        await self.forget(text_digest(_NORMALIZE(record.text)) if record and self._reads_as_kept() else None)

    def _reads_as_kept(self) -> bool:
        """Whether all loaded versions use the current normaliser, so that cached texts equal the stored ones."""
        table = self.table()
        return table is not None and all(route.normalizer == CURRENT_NORMALIZER for route in table.routes)

    def author_key(self, author: str) -> str:
        """Return the keyed hash under which texts of `author` are stored."""
        return keyed_digest(self.secret, author)

    async def models(self) -> list[dict[str, Any]]:
        """Return the registered versions, oldest first, with their state and share of the traffic."""
        return await asyncio.to_thread(read_listing, self.store, self.model_name)

    async def model_answers(self) -> bool:
        """Whether the model answers a real text, which is not stored; an overloaded model counts as answering."""
        try:
            await self.service.probe(_PROBE_TEXT)
        except UndertoneError as exc:
            return isinstance(exc, Overloaded)
        return True

    async def readiness(self) -> tuple[bool, dict[str, str]]:
        """Return whether all parts are ready, and each one's state; a real prediction is made and not stored."""
        path, sink = await asyncio.gather(self._probe(), self._sink())
        store = "ok" if sink.get("store_reachable") else "away"
        sink_state = "ok" if "store_reachable" in sink else str(sink["error"])
        parts = {"model": path, "sink": sink_state, "store": store if sink_state == "ok" else "unknown"}
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
