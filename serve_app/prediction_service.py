"""From a raw text to an answer that is kept: clean, look up or classify, store. Knows neither HTTP nor Ray."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sentiment.errors import Conflict, InvalidInput, NoModel, Unavailable, UndertoneError
from sentiment.identifiers import new_id
from sentiment.labels import sentiment_of
from sentiment.records import Answers, CleanText, Explanation, Operation, Outcome, PutText, RawText, TextRecord
from serve_app.answer_cache import AnswerCache, CachedAnswer, Key, text_digest
from serve_app.gathering import MicroBatcher
from serve_app.prediction import Prediction, Timing
from serve_app.traffic import Route, TrafficTable

logger = logging.getLogger(__name__)

_MS_PER_DAY = 86_400_000


class Parts(Protocol):
    """The parts behind the gateway; each call carries a micro-batch."""

    async def clean(self, texts: list[RawText], normalizer: str) -> list[CleanText]:
        """Return the texts normalised, masked and hashed, in order."""

    async def classify(self, route: Route, texts: list[str]) -> Answers:
        """Return what the route's version says about the texts."""

    async def explain(self, route: Route, text: str) -> Explanation:
        """Return which words moved the answer of the route's version."""

    async def write(self, operations: list[Operation]) -> list[Outcome]:
        """Keep the operations; returns once they are safe."""


@dataclass(frozen=True, slots=True)
class _Submitted:
    raw: RawText
    arrived: float


@dataclass(frozen=True, slots=True)
class _Judged:
    """The classification of one text, and how long its forward pass took."""

    route: Route
    answer: CachedAnswer
    inference_ms: float


def epoch_ms() -> int:
    """Return the time now, in milliseconds of the Unix epoch."""
    return time.time_ns() // 1_000_000


@dataclass(eq=False)
class PredictionService:
    """Answers texts by micro-batches. `table` returns the traffic table in force, or None before the first."""

    parts: Parts
    table: Callable[[], TrafficTable | None]
    cache: AnswerCache
    max_items: int
    gather_s: float
    in_flight: int
    max_queued: int
    retention_days: float | None = None
    draw: Callable[[], float] = random.random
    now_ms: Callable[[], int] = epoch_ms
    observe: Callable[[str, int, float], None] | None = None  # told a micro-batch's model, version, milliseconds

    def __post_init__(self) -> None:
        self.batcher: MicroBatcher[_Submitted, Prediction] = MicroBatcher(
            self._answer, self.max_items, self.gather_s, self.in_flight, self.max_queued
        )

    async def predict(self, texts: Sequence[RawText], *, bulk: bool = False) -> list[Prediction | Exception]:
        """Return an answer that is kept, or an error, for each text and in order.

        Raises:
            Overloaded: too many texts are waiting.
        """
        arrived = time.perf_counter()
        return await self.batcher.submit([_Submitted(raw, arrived) for raw in texts], bulk=bulk)

    async def probe(self, text: str) -> Prediction:
        """Answer `text` through all parts but the store: nothing is kept, no cache helps."""
        started = time.perf_counter()
        table = self._table()
        [clean] = await self.parts.clean([RawText(text)], table.normalizer)
        cleaned = time.perf_counter()
        route = table.choose(self.draw())
        answers = await self.parts.classify(route, [clean.text])
        judged = _Judged(route, _answer_of(answers, 0), answers.inference_ms)
        return self._prediction("probe", judged, started, started, cleaned)

    async def explain(self, text: str) -> Explanation:
        """Return which words of `text` moved its answer; nothing is kept."""
        table = self._table()
        [clean] = await self.parts.clean([RawText(text)], table.normalizer)
        return await self.parts.explain(table.choose(self.draw()), _with_words(clean).text)

    async def insert(self, raw: RawText) -> tuple[str, Outcome]:
        """Keep a text without a label; return its id and what became of it."""
        [clean] = await self.parts.clean([raw], self._table().normalizer)
        operation = self._put(raw, _with_words(clean), None)
        [outcome] = await self.parts.write([operation])
        return operation.record.id, outcome

    async def _answer(self, batch: list[_Submitted]) -> list[Prediction | Exception]:
        started = time.perf_counter()
        table = self._table()
        cleans = await self.parts.clean([submitted.raw for submitted in batch], table.normalizer)
        cleaned = time.perf_counter()
        judged = await self._judge(cleans, [table.choose(self.draw()) for _ in cleans])
        kept = await self._keep([submitted.raw for submitted in batch], cleans, judged)
        self._observe(batch[0].arrived, judged)
        return [
            verdict
            if isinstance(verdict, Exception)
            else self._prediction(id_, verdict, item.arrived, started, cleaned)
            for item, (id_, verdict) in zip(batch, kept, strict=True)
        ]

    async def _judge(self, cleans: list[CleanText], routes: list[Route]) -> list[_Judged | Exception]:
        """Answer each text from the cache, with an equal text in flight, or by one call per version."""
        futures: list[asyncio.Future[CachedAnswer] | CachedAnswer | Exception] = []
        new: dict[Route, list[tuple[Key, str]]] = defaultdict(list)
        for clean, route in zip(cleans, routes, strict=True):
            key = (route.version, text_digest(clean.text))
            known: asyncio.Future[CachedAnswer] | CachedAnswer | Exception | None
            known = InvalidInput("text: has no words once it is normalised", "text") if not clean.text else None
            known = known or self.cache.get(key) or self.cache.join(key)
            if known is None:
                known = self.cache.begin(key)
                new[route].append((key, clean.text))
            futures.append(known)
        spent = await asyncio.gather(*(self._classify(route, texts) for route, texts in new.items()))
        took = dict(zip(new, spent, strict=True))
        return [
            await _settled(known, route, took.get(route, 0.0)) for known, route in zip(futures, routes, strict=True)
        ]

    async def _classify(self, route: Route, texts: list[tuple[Key, str]]) -> float:
        """Work out the texts announced in the cache; return the forward pass's milliseconds."""
        try:
            answers = await self.parts.classify(route, [text for _, text in texts])
        except BaseException as exc:
            for key, _ in texts:
                self.cache.fail(key, exc if isinstance(exc, UndertoneError) else Unavailable("no classifier answered"))
            if isinstance(exc, Exception):
                return 0.0
            raise
        for index, (key, _) in enumerate(texts):
            try:
                self.cache.finish(key, _answer_of(answers, index))
            except InvalidInput as exc:
                self.cache.fail(key, exc)
        return answers.inference_ms

    async def _keep(
        self, raws: list[RawText], cleans: list[CleanText], judged: list[_Judged | Exception]
    ) -> list[tuple[str, _Judged | Exception]]:
        """Store what was judged; a conflict takes the place of the answer."""
        puts = [
            None if isinstance(verdict, Exception) else self._put(raw, clean, verdict)
            for raw, clean, verdict in zip(raws, cleans, judged, strict=True)
        ]
        outcomes = iter(await self._write([put for put in puts if put is not None]))
        return [
            ("", verdict) if put is None else (put.record.id, _unless_refused(next(outcomes), put.record.id, verdict))
            for put, verdict in zip(puts, judged, strict=True)
        ]

    async def _write(self, operations: list[Operation]) -> list[Outcome]:
        return await self.parts.write(operations) if operations else []

    def _put(self, raw: RawText, clean: CleanText, judged: _Judged | None) -> PutText:
        now = self.now_ms()
        expires = None if self.retention_days is None else now + int(self.retention_days * _MS_PER_DAY)
        record = TextRecord(
            id=raw.id or new_id(now),
            text=clean.stored_text,
            text_key=clean.text_key,
            near_key=clean.near_key,
            created_at_ms=now if raw.created_at_ms is None else raw.created_at_ms,
            received_at_ms=now,
            source=raw.source,
            author_key=clean.author_key,
            topics=clean.topics,
            expires_at_ms=expires,
            **({} if judged is None else _label_fields(judged, now)),
        )
        return PutText(record, claimed=raw.id is not None)

    def _prediction(self, id_: str, judged: _Judged, arrived: float, started: float, cleaned: float) -> Prediction:
        timing = Timing(
            queue=(started - arrived) * 1000,
            preprocess=(cleaned - started) * 1000,
            inference=judged.inference_ms,
            total=(time.perf_counter() - arrived) * 1000,
        )
        route, answer = judged.route, judged.answer
        return Prediction(id_, route.labels, answer.probabilities, answer.truncated, route.model, route.version, timing)

    def _observe(self, arrived: float, judged: list[_Judged | Exception]) -> None:
        """Tell, once a version and not once a text, how long the first text of the micro-batch took."""
        if self.observe is not None:
            elapsed_ms = (time.perf_counter() - arrived) * 1000
            for model, version in {(j.route.model, j.route.version) for j in judged if isinstance(j, _Judged)}:
                self.observe(model, version, elapsed_ms)

    def _table(self) -> TrafficTable:
        table = self.table()
        if table is None or not table.routes:
            raise NoModel("no model version is loaded yet; try again in a moment")
        return table


def _label_fields(judged: _Judged, now_ms: int) -> dict[str, Any]:
    labels, probabilities = judged.route.labels, judged.answer.probabilities
    score = max(probabilities)
    return {
        "label": labels[probabilities.index(score)],
        "score": score,
        "sentiment": sentiment_of(probabilities, labels),
        "probabilities": dict(zip(labels, probabilities, strict=True)),
        "truncated": judged.answer.truncated,
        "model": judged.route.model,
        "model_version": judged.route.version,
        "labelled_at_ms": now_ms,
        "labelled_by": "model",
    }


def _with_words(clean: CleanText) -> CleanText:
    if not clean.text:
        raise InvalidInput("text: has no words once it is normalised", "text")
    return clean


def _answer_of(answers: Answers, index: int) -> CachedAnswer:
    probabilities = answers.probabilities[index]
    if probabilities is None:
        raise InvalidInput(f"the model cannot read this text: {answers.errors.get(index, 'no answer')}", "text")
    return CachedAnswer(probabilities, answers.truncated[index])


async def _settled(
    known: asyncio.Future[CachedAnswer] | CachedAnswer | Exception, route: Route, inference_ms: float
) -> _Judged | Exception:
    if isinstance(known, CachedAnswer):
        return _Judged(route, known, 0.0)
    if isinstance(known, Exception):
        return known
    try:
        return _Judged(route, await known, inference_ms)
    except UndertoneError as exc:
        return exc


def _unless_refused(outcome: Outcome, id_: str, verdict: _Judged | Exception) -> _Judged | Exception:
    if outcome is Outcome.CONFLICT:
        return Conflict(f"id {id_!r} already names another text; choose another id, or send the same text again")
    if outcome is not Outcome.DONE:
        return Unavailable("the text could not be stored; try again")
    return verdict
