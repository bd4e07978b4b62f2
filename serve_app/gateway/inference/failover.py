"""Answers of model versions to normalised texts: from the cache, with an equal text in flight, or by one call each.

A candidate never costs a caller the answer: where it fails or is late, the champion answers.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sentiment.errors import DeadlineExceeded, InvalidInput, Unavailable, UndertoneError
from sentiment.records import Answers
from sentiment.text import NO_WORDS
from serve_app.gateway.inference.answer_cache import AnswerCache, CachedAnswer, Key, text_digest
from serve_app.gateway.inference.request import (
    InferenceOutcome,
    InferenceRequest,
    InferenceResult,
    answer_of,
    metric_labels,
)
from serve_app.routing.traffic_table import Route

Classify = Callable[[Route, list[str]], Awaitable[Answers]]

#: A candidate call is late after its patience plus this many times the champion's expected time.
_TIMES_AS_LONG: Final = 4
#: Expected time of a version that has answered nothing yet.
_DEFAULT_S_PER_CHARACTER: Final = 0.0005
_MEMORY: Final = 0.95


#: How often something happened: a kind of `gateway.metrics`, then the values of its labels.
Events = Counter[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Call:
    inference_ms: float
    call_ms: float


#: Whose call works an answer out: a route, and the one that answers instead when it cannot.
_Callee = tuple[Route, Route | None]
_Answer = CachedAnswer | asyncio.Future[CachedAnswer] | Exception


@dataclass(slots=True, eq=False)
class _Pace:
    """How long a version takes, the last calls weighing most; by characters, since length is cost."""

    seconds: float = 0.0
    characters: float = 0.0

    def record(self, seconds: float, characters: int) -> None:
        self.seconds = _MEMORY * self.seconds + seconds
        self.characters = _MEMORY * self.characters + characters

    def seconds_for(self, characters: int) -> float:
        rate = self.seconds / self.characters if self.characters else _DEFAULT_S_PER_CHARACTER
        return rate * characters


@dataclass(eq=False)
class FailoverClassifier:
    """Asks versions. One with a fallback has `patience_s` more than the time that its texts are worth.

    Belongs to one event loop.
    """

    call_version: Classify
    cache: AnswerCache
    patience_s: float
    events: Events = field(default_factory=Counter)
    _paces: defaultdict[int, _Pace] = field(default_factory=lambda: defaultdict(_Pace))

    async def classify_with_failover(
        self, requests: Sequence[InferenceRequest]
    ) -> tuple[list[InferenceOutcome], list[InferenceOutcome]]:
        """Return for each request its own version's result, and what is served: the fallback's if that failed."""
        own_results = await self.classify(requests)
        served_results = list(own_results)
        failed = [n for n, outcome in enumerate(own_results) if _may_fail_over(requests[n], outcome)]
        retried = [retry for n in failed if (retry := requests[n].for_fallback) is not None]
        for n, outcome in zip(failed, await self.classify(retried), strict=True):
            served_results[n] = outcome
            self.events["failovers", *metric_labels(requests[n].route)] += 1
        return own_results, served_results

    async def classify(self, requests: Sequence[InferenceRequest]) -> list[InferenceOutcome]:
        """Return each request's result: one call a version, none for what is cached or in flight."""
        answers: list[tuple[_Answer, _Callee | None]] = []
        uncached: dict[_Callee, list[tuple[Key, str]]] = defaultdict(list)
        for request in requests:
            key = (request.route.version, text_digest(request.text))
            answer: _Answer | None = _wordless(request.text) or self._cached(request.route, key)
            callee = None
            if answer is None:
                answer, callee = self.cache.begin(key), (request.route, request.fallback)
                uncached[callee].append((key, request.text))
            answers.append((answer, callee))
        calls = await asyncio.gather(*(self._call(*callee, texts) for callee, texts in uncached.items()))
        call_of = dict(zip(uncached, calls, strict=True))
        return [
            await self._settled(request, answer, call_of[callee] if callee else None)
            for request, (answer, callee) in zip(requests, answers, strict=True)
        ]

    def _cached(self, route: Route, key: Key) -> CachedAnswer | asyncio.Future[CachedAnswer] | None:
        """Return a version's answer that is kept or on its way, None where there is none; count which it was."""
        for kind, look in (("cache_hits", self.cache.get), ("coalesced", self.cache.join)):
            if (answer := look(key)) is not None:
                self.events[kind, *metric_labels(route)] += 1
                return answer
        return None

    def limit_s(self, fallback: Route | None, characters: int) -> float | None:
        """Return how long a version has for so much text before `fallback` answers, None where nothing stands in."""
        if fallback is None:
            return None
        return self.patience_s + _TIMES_AS_LONG * self._paces[fallback.version].seconds_for(characters)

    async def _call(self, route: Route, fallback: Route | None, texts: list[tuple[Key, str]]) -> _Call:
        """Work out the texts announced in the cache."""
        started, characters = time.perf_counter(), sum(len(text) for _, text in texts)
        try:
            async with asyncio.timeout(self.limit_s(fallback, characters)):
                answers = await self.call_version(route, [text for _, text in texts])
        except BaseException as exc:
            for key, _ in texts:
                self.cache.fail(key, _in_words(exc, route))
            if isinstance(exc, Exception):
                return _Call(0.0, 0.0)
            raise
        for index, (key, _) in enumerate(texts):
            try:
                self.cache.finish(key, answer_of(answers, index))
            except InvalidInput as exc:
                self.cache.fail(key, exc)
        elapsed_s = time.perf_counter() - started
        self._paces[route.version].record(elapsed_s, characters)
        return _Call(answers.inference_ms, elapsed_s * 1000)

    async def _settled(self, request: InferenceRequest, answer: _Answer, call: _Call | None) -> InferenceOutcome:
        if isinstance(answer, CachedAnswer):
            return InferenceResult(request.route, answer)
        if isinstance(answer, Exception):
            return answer
        limit_s = self.limit_s(request.fallback, len(request.text))
        try:
            # Shielded: others may wait for the same answer. Another's call may have no limit, or a later one.
            settled = answer.result() if answer.done() else await asyncio.wait_for(asyncio.shield(answer), limit_s)
        except (UndertoneError, TimeoutError) as exc:
            return _in_words(exc, request.route)
        result = InferenceResult(request.route, settled)
        return replace(result, inference_ms=call.inference_ms, call_ms=call.call_ms) if call else result


def _wordless(text: str) -> InvalidInput | None:
    return None if text else InvalidInput(f"text: {NO_WORDS}", "text")


def _may_fail_over(request: InferenceRequest, outcome: InferenceOutcome) -> bool:
    return isinstance(outcome, Exception) and request.fallback is not None and bool(request.text)


def _in_words(exc: BaseException, route: Route) -> UndertoneError:
    if isinstance(exc, TimeoutError):
        return DeadlineExceeded(f"version {route.version} took too long")
    return exc if isinstance(exc, UndertoneError) else Unavailable("no classifier answered")
