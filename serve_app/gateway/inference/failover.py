"""Classifies normalised texts: from the cache, with an equal text in flight, or by one call to each version.

Where a candidate fails or is late, the champion answers, so that no caller loses an answer to it.
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
#: Weight of the past in a version's pace, for each new call.
_MEMORY: Final = 0.95


#: How often something happened, by kind (`_EVENTS` of `gateway/metrics.py`) and the values of its labels.
Events = Counter[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Call:
    inference_ms: float
    call_ms: float


#: The route of a call, and the fallback that answers instead if it fails.
_Callee = tuple[Route, Route | None]
_Answer = CachedAnswer | asyncio.Future[CachedAnswer] | Exception


@dataclass(slots=True, eq=False)
class _Pace:
    """A version's seconds per character, as a moving average over its calls."""

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
    """Calls versions, with failover. Belongs to one event loop."""

    call_version: Classify
    cache: AnswerCache
    patience_s: float
    """Seconds that a version with a fallback gets beyond the time that its texts should take."""
    events: Events = field(default_factory=Counter)
    _paces: defaultdict[int, _Pace] = field(default_factory=lambda: defaultdict(_Pace))

    async def classify_with_failover(
        self, requests: Sequence[InferenceRequest]
    ) -> tuple[list[InferenceOutcome], list[InferenceOutcome]]:
        """Return for each request its own version's outcome, and the one to serve: the fallback's if that failed."""
        own_results = await self.classify(requests)
        served_results = list(own_results)
        failed = [n for n, outcome in enumerate(own_results) if _may_fail_over(requests[n], outcome)]
        fallbacks = [fallback for n in failed if (fallback := requests[n].for_fallback) is not None]
        for n, outcome in zip(failed, await self.classify(fallbacks), strict=True):
            served_results[n] = outcome
            self.events["failovers", *metric_labels(requests[n].route)] += 1
        return own_results, served_results

    async def classify(self, requests: Sequence[InferenceRequest]) -> list[InferenceOutcome]:
        """Return the outcome of each request, by one call a version, without texts that are cached or in flight."""
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
            await self._outcome(request, answer, call_of[callee] if callee else None)
            for request, (answer, callee) in zip(requests, answers, strict=True)
        ]

    def _cached(self, route: Route, key: Key) -> CachedAnswer | asyncio.Future[CachedAnswer] | None:
        """Return a version's answer that is cached or in flight, and count which; None where there is none."""
        for kind, find in (("cache_hits", self.cache.get), ("coalesced", self.cache.join)):
            if (answer := find(key)) is not None:
                self.events[kind, *metric_labels(route)] += 1
                return answer
        return None

    def limit_s(self, fallback: Route | None, characters: int) -> float | None:
        """Return the seconds that a version gets for so much text before `fallback` answers; None without one."""
        if fallback is None:
            return None
        return self.patience_s + _TIMES_AS_LONG * self._paces[fallback.version].seconds_for(characters)

    async def _call(self, route: Route, fallback: Route | None, texts: list[tuple[Key, str]]) -> _Call:
        """Classify texts that were announced in the cache, and put the answers there."""
        started, characters = time.perf_counter(), sum(len(text) for _, text in texts)
        try:
            async with asyncio.timeout(self.limit_s(fallback, characters)):
                answers = await self.call_version(route, [text for _, text in texts])
        except BaseException as exc:
            for key, _ in texts:
                self.cache.fail(key, _own_error(exc, route))
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

    async def _outcome(self, request: InferenceRequest, answer: _Answer, call: _Call | None) -> InferenceOutcome:
        if isinstance(answer, CachedAnswer):
            return InferenceResult(request.route, answer)
        if isinstance(answer, Exception):
            return answer
        limit_s = self.limit_s(request.fallback, len(request.text))
        try:
            # Shielded, since others may wait for the same answer; the call that computes it may have another limit.
            ready = answer.result() if answer.done() else await asyncio.wait_for(asyncio.shield(answer), limit_s)
        except (UndertoneError, TimeoutError) as exc:
            return _own_error(exc, request.route)
        result = InferenceResult(request.route, ready)
        return replace(result, inference_ms=call.inference_ms, call_ms=call.call_ms) if call else result


def _wordless(text: str) -> InvalidInput | None:
    return None if text else InvalidInput(f"text: {NO_WORDS}", "text")


def _may_fail_over(request: InferenceRequest, outcome: InferenceOutcome) -> bool:
    return isinstance(outcome, Exception) and request.fallback is not None and bool(request.text)


def _own_error(exc: BaseException, route: Route) -> UndertoneError:
    if isinstance(exc, TimeoutError):
        return DeadlineExceeded(f"version {route.version} took too long; try again")
    return exc if isinstance(exc, UndertoneError) else Unavailable("no classifier answered; try again soon")
