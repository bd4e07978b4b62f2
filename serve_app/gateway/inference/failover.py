"""The answers of model versions to normalised texts: from the cache, with an equal text in flight, or by one call each.

A version that is only being tried never costs a caller the answer: what it fails on, or is late with, the
champion answers.
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
from serve_app.routing.traffic_table import Route

Classify = Callable[[Route, list[str]], Awaitable[Answers]]

#: A version on trial is late when it has taken its patience and so many times what the leading version would take.
_TIMES_AS_LONG: Final = 4
#: What a version is thought to take before it was seen at work.
_UNSEEN_S_PER_CHARACTER: Final = 0.0005
_MEMORY: Final = 0.95


#: What happened how often: a kind of `gateway_metrics`, then the values of its labels.
Events = Counter[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Question:
    """A text for a route's version. `fallback` is the route that answers instead when that one cannot.

    `fallback_text` is the text as that one wants it, None where it is the same.
    """

    text: str
    route: Route
    fallback: Route | None = None
    fallback_text: str | None = None

    @property
    def again(self) -> Question | None:
        """The question for the fallback, None where there is none."""
        text = self.text if self.fallback_text is None else self.fallback_text
        return None if self.fallback is None else Question(text, self.fallback)


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer to one text; `inference_ms` of its forward pass, `call_ms` of the call, None where none was made."""

    route: Route
    answer: CachedAnswer
    inference_ms: float = 0.0
    call_ms: float | None = None

    @property
    def confidence(self) -> float:
        """Probability of the label."""
        return max(self.answer.probabilities)

    @property
    def label(self) -> str:
        """The likeliest label."""
        return self.route.labels[self.answer.probabilities.index(self.confidence)]


Verdict = Judged | Exception


@dataclass(frozen=True, slots=True)
class _Call:
    inference_ms: float
    call_ms: float


#: Whose call works an answer out: a route, and the one that answers instead when it cannot.
_Asked = tuple[Route, Route | None]
_Answer = CachedAnswer | asyncio.Future[CachedAnswer] | Exception


@dataclass(slots=True, eq=False)
class _Pace:
    """How long a version takes, the last calls weighing most; by characters, since length is cost."""

    seconds: float = 0.0
    characters: float = 0.0

    def note(self, seconds: float, characters: int) -> None:
        self.seconds = _MEMORY * self.seconds + seconds
        self.characters = _MEMORY * self.characters + characters

    def seconds_for(self, characters: int) -> float:
        rate = self.seconds / self.characters if self.characters else _UNSEEN_S_PER_CHARACTER
        return rate * characters


@dataclass(eq=False)
class Judge:
    """Asks versions. One with a fallback has `patience_s` more than the time that its texts are worth.

    Belongs to one event loop.
    """

    classify: Classify
    cache: AnswerCache
    patience_s: float
    events: Events = field(default_factory=Counter)
    _paces: defaultdict[int, _Pace] = field(default_factory=lambda: defaultdict(_Pace))

    async def judge(self, questions: Sequence[Question]) -> tuple[list[Verdict], list[Verdict]]:
        """Return for each question what its own version said, and what the caller is told."""
        said = await self.ask(questions)
        told = list(said)
        failed = [n for n, verdict in enumerate(said) if _may_fail_over(questions[n], verdict)]
        again = await self.ask([asked for n in failed if (asked := questions[n].again) is not None])
        for n, verdict in zip(failed, again, strict=True):
            told[n] = verdict
            self.events["failovers", *named(questions[n].route)] += 1
        return said, told

    async def ask(self, questions: Sequence[Question]) -> list[Verdict]:
        """Return what each question's version says: one call a version, none for what is known or on its way."""
        known: list[tuple[_Answer, _Asked | None]] = []
        new: dict[_Asked, list[tuple[Key, str]]] = defaultdict(list)
        for question in questions:
            key = (question.route.version, text_digest(question.text))
            answer: _Answer | None = _wordless(question.text) or self._known(question.route, key)
            asked = None
            if answer is None:
                answer, asked = self.cache.begin(key), (question.route, question.fallback)
                new[asked].append((key, question.text))
            known.append((answer, asked))
        calls = await asyncio.gather(*(self._call(*asked, texts) for asked, texts in new.items()))
        took = dict(zip(new, calls, strict=True))
        return [
            await self._settled(question, answer, took[asked] if asked else None)
            for question, (answer, asked) in zip(questions, known, strict=True)
        ]

    def _known(self, route: Route, key: Key) -> CachedAnswer | asyncio.Future[CachedAnswer] | None:
        """Return a version's answer that is kept or on its way, None where there is none; count which it was."""
        for kind, look in (("cache_hits", self.cache.get), ("coalesced", self.cache.join)):
            if (found := look(key)) is not None:
                self.events[kind, *named(route)] += 1
                return found
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
                answers = await self.classify(route, [text for _, text in texts])
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
        self._paces[route.version].note(elapsed_s, characters)
        return _Call(answers.inference_ms, elapsed_s * 1000)

    async def _settled(self, question: Question, known: _Answer, call: _Call | None) -> Verdict:
        if isinstance(known, CachedAnswer):
            return Judged(question.route, known)
        if isinstance(known, Exception):
            return known
        limit_s = self.limit_s(question.fallback, len(question.text))
        try:
            # Shielded: others may wait for the same answer. Another's call may have no limit, or a later one.
            answer = known.result() if known.done() else await asyncio.wait_for(asyncio.shield(known), limit_s)
        except (UndertoneError, TimeoutError) as exc:
            return _in_words(exc, question.route)
        judged = Judged(question.route, answer)
        return replace(judged, inference_ms=call.inference_ms, call_ms=call.call_ms) if call else judged


def named(route: Route) -> tuple[str, str]:
    """Return the labels of a version in metrics."""
    return route.model, str(route.version)


def answer_of(answers: Answers, index: int) -> CachedAnswer:
    """Return one text's answer. Raises InvalidInput where the model failed on it."""
    probabilities = answers.probabilities[index]
    if probabilities is None:
        raise InvalidInput(f"the model cannot read this text: {answers.errors.get(index, 'no answer')}", "text")
    return CachedAnswer(probabilities, answers.truncated[index], answers.languages[index], answers.supported[index])


def _wordless(text: str) -> InvalidInput | None:
    return None if text else InvalidInput(f"text: {NO_WORDS}", "text")


def _may_fail_over(question: Question, verdict: Verdict) -> bool:
    return isinstance(verdict, Exception) and question.fallback is not None and bool(question.text)


def _in_words(exc: BaseException, route: Route) -> UndertoneError:
    if isinstance(exc, TimeoutError):
        return DeadlineExceeded(f"version {route.version} took too long")
    return exc if isinstance(exc, UndertoneError) else Unavailable("no classifier answered")
