"""From a raw text to an answer that is kept: clean, look up or classify, store. Knows neither HTTP nor Ray."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import compress
from operator import not_
from typing import Protocol

from sentiment.clock import epoch_ms
from sentiment.errors import NoModel, Overloaded
from sentiment.records import CleanText, Explanation, Operation, Outcome, RawText
from sentiment.text import NORMALIZERS
from serve_app.gateway.batching.micro_batcher import MicroBatcher
from serve_app.gateway.batching.ticket import Ticket, results_of
from serve_app.gateway.batching.write_coalescing import Lane, Lanes, Shared
from serve_app.gateway.canary.batch_recorder import Notes
from serve_app.gateway.canary.shadow import Mirror
from serve_app.gateway.canary.stage_metrics import Tallies
from serve_app.gateway.canary.throughput_baseline import Overload
from serve_app.gateway.inference.answer_cache import AnswerCache
from serve_app.gateway.inference.failover import Judge, Judged, Question, Verdict, named
from serve_app.gateway.inference.request import Asked, Submitted, gets_texts
from serve_app.gateway.prediction.answer import Prediction, prediction_of
from serve_app.gateway.prediction.dry_run import Answering, Unkept
from serve_app.gateway.prediction.persistence import Keeper, with_words
from serve_app.gateway.prediction.preprocessing import Cleaning
from serve_app.routing.router import NO_PREFERENCE, Preference, by_chance, steer
from serve_app.routing.traffic_table import Route, TrafficTable


class Parts(Answering, Protocol):
    """The parts behind the gateway; each call carries a micro-batch."""

    async def write(self, operations: list[Operation]) -> list[Outcome]:
        """Keep the operations; returns once they are safe."""


@dataclass(frozen=True, slots=True)
class _Unwritten:
    """A micro-batch that was answered and is not kept yet: what each text's own version said, what its caller is told.

    Times of `perf_counter`: it was `started`, and its texts were `cleaned`.
    """

    table: TrafficTable
    asked: list[Asked]
    said: list[Verdict]
    told: list[Verdict]
    started: float
    cleaned: float


@dataclass(eq=False)
class PredictionService:
    """Answers texts by micro-batches. `table` returns the traffic table in force, or None before the first.

    Each version has its micro-batches to itself: texts for one on trial that is slow wait for about `failover_s`, twice
    where the queue is long; then the trusted version answers them. A challenger with all the traffic is the trusted
    one; what it fails on the champion answers as long as it is loaded. Where weights decide, a version is drawn for up
    to `drawn_together` texts when a micro-batch of the trusted one is sent: small micro-batches go to one version as
    they are, and the trusted one keeps its turn for it, as long as it keeps pace (`MicroBatcher`). `is_filled`: the
    ingress gives single texts to one gateway as long as it suffices. `clean_here` is what the Preprocessor does to a
    text: small micro-batches are cleaned by it without a call.
    """

    parts: Parts
    table: Callable[[], TrafficTable | None]
    cache: AnswerCache
    max_items: int
    gather_s: float
    in_flight: int
    max_queued: int
    retention_days: float | None = None
    failover_s: float = 0.3
    drawn_together: int = 16
    is_filled: bool = False
    draw: Callable[[], float] = random.random
    now_ms: Callable[[], int] = epoch_ms
    clean_here: Callable[[RawText, str], CleanText] | None = None
    observe: Callable[[str, int, float], None] | None = None  # told a micro-batch's model, version, milliseconds

    def __post_init__(self) -> None:
        limits = self.max_items, self.gather_s, self.in_flight, self.max_queued
        self.batcher: MicroBatcher[Submitted, Prediction] = MicroBatcher(
            partial(self._answer, Lane.LED), *limits, longest_turn_s=self.failover_s
        )
        self.trials: MicroBatcher[Submitted, Prediction] = MicroBatcher(
            partial(self._answer, Lane.TRIED), *limits, follows=self.batcher, claim=self._draw
        )
        self._lanes = Lanes()
        self._clean = Cleaning(self.parts.clean, self.clean_here) if self.clean_here else self.parts.clean
        self.keeper = Keeper(Shared(self.parts.write), self.retention_days, self.now_ms)
        self.judge = Judge(self.parts.classify, self.cache, self.failover_s)
        self.tallies = Tallies(self.table)
        self.overload = Overload(self.in_flight)
        self.unkept = Unkept(self.parts, self.judge)
        self.mirror = Mirror(self.judge, self.tallies, self.batcher, self.draw)
        self.notes = Notes(self.tallies, self.overload, self.mirror, self.failover_s, self.is_filled)

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
        arrived, table = time.perf_counter(), self._table()
        pinned = preference.version is not None
        drawn = by_chance(table, preference)
        trusted = table.trusted
        routes = [self._route(table, preference, raw.author) for raw in texts]
        items = [
            Submitted(raw, arrived, arrived, route or trusted, pinned, drawn, bulk, undrawn=route is None)
            for raw, route in zip(texts, routes, strict=True)
        ]
        on_trial = [item.route is not trusted for item in items]
        try:
            self.batcher.require_room(len(items), bulk=bulk)  # refused as a whole, or a part would be kept all the same
        except Overloaded:
            if drawn and not waits and table.succeeded is not None:
                self.overload.refuse()
            raise
        if not any(on_trial):
            return await self.batcher.submit(items, bulk=bulk)
        tried = self._try(list(compress(items, on_trial)), bulk=bulk)
        led = self.batcher.enqueue(list(compress(items, map(not_, on_trial))), bulk=bulk)
        answers = [iter(found) for found in await results_of(led, tried)]
        return [next(answers[trial]) for trial in on_trial]

    def check(self, preference: Preference) -> None:
        """Raise what `predict` would raise at once for texts of this preference."""
        steer(self._table(), preference, None)

    async def probe(self, text: str) -> Prediction:
        """Answer `text` through all parts but the store: nothing is kept, no cache helps."""
        return await self.unkept.probe(self._table(), text)

    async def explain(self, text: str, preference: Preference = NO_PREFERENCE) -> Explanation:
        """Return which words of `text` moved its answer, by the trusted version or the one asked for; nothing is kept.

        Raises:
            NotFound: the version that the caller pins is not loaded.
        """
        return await self.unkept.explain(self._table(), text, preference)

    async def insert(self, raw: RawText) -> tuple[str, Outcome]:
        """Keep a text without a label; return its id and what became of it."""
        [clean] = await self._clean([raw], self._table().normalizer)
        operation = self.keeper.put(raw, with_words(clean), None)
        [outcome] = await self.parts.write([operation])
        return operation.record.id, outcome

    def _try(self, items: list[Submitted], *, bulk: bool) -> Ticket[Prediction]:
        """Hand texts to versions on trial, or to the trusted one, which has room for them, where these have none."""
        try:
            self.trials.require_room(len(items), bulk=bulk)
        except Overloaded:
            if items[0].pinned:
                raise
            return self.batcher.enqueue([replace(item, refused=True) for item in items], bulk=bulk)
        return self.trials.enqueue(items, bulk=bulk)

    def _draw(self, items: list[Submitted]) -> list[tuple[Submitted, bool]]:
        """Draw the routes that a micro-batch's texts have not yet; say of each whether a version on trial gets it."""
        table, now_s = self._table(), time.perf_counter()
        found, drawn, route = list[tuple[Submitted, bool]](), 0, table.trusted
        given: Counter[bool] = Counter()  # to versions on trial, by lane
        for item in items:
            if not item.undrawn:
                found.append((item, False))
                continue
            if drawn % self.drawn_together == 0:
                route = table.choose(self.draw())
            drawn += 1
            on_trial = route is not table.trusted
            refused = on_trial and not self.trials.has_room(given[item.bulk] + 1, bulk=item.bulk)
            given[item.bulk] += on_trial and not refused
            decided = replace(item, route=route, handed=now_s, undrawn=False, refused=refused)
            found.append((decided, on_trial and not refused))
        return found

    def _route(self, table: TrafficTable, preference: Preference, author: str | None) -> Route | None:
        """Return a text's route, None where it shall be drawn once its micro-batch is sent."""
        route = steer(table, preference, author)
        if route is None and self.batcher.stalled_s > self.failover_s:  # that may be long from now
            return table.choose(self.draw())
        return route

    async def _answer(self, lane: Lane, batch: list[Submitted]) -> Awaitable[list[Prediction | Exception]]:
        """Have a micro-batch answered; what is returned keeps it, which takes none of the classifier's time."""
        started = time.perf_counter()
        table = self._table()
        with self._lanes.at_work(lane, started):
            cleans = await self._clean([submitted.raw for submitted in batch], table.normalizer)
            cleaned = time.perf_counter()
            questions = (self._question(table, item, clean) for item, clean in zip(batch, cleans, strict=True))
            asked = list(map(Asked, batch, cleans, questions))
            said, told = await self.judge.judge([each.question for each in asked])
        wait_s = self._lanes.wait_s(lane, started, time.perf_counter())
        return self._keep(_Unwritten(table, asked, said, told, started, cleaned), wait_s)

    async def _keep(self, done: _Unwritten, wait_s: float) -> list[Prediction | Exception]:
        """Keep what was answered and note it; the write may wait for another for `wait_s`."""
        raws, cleans = [each.item.raw for each in done.asked], [each.clean for each in done.asked]
        kept = await self.keeper.keep(raws, cleans, done.told, wait_s)
        self.notes.note(done.table, done.asked, done.said, done.told, kept)
        self._observe(done.asked[0].item.arrived, done.told)
        return [
            verdict
            if isinstance(verdict, Exception)
            else prediction_of(id_, verdict, each.item.arrived, done.started, done.cleaned)
            for each, (id_, verdict) in zip(done.asked, kept, strict=True)
        ]

    def _question(self, table: TrafficTable, item: Submitted, clean: CleanText) -> Question:
        """Ask the route that was chosen, unless its weight was taken away meanwhile or the text has waited too long."""
        trusted, route = table.trusted, table.of_version(item.route.version)
        if item.pinned:
            return _question_of(table, item.raw, clean, route or item.route, None)
        if route is None or route is trusted or not gets_texts(table, route):
            return _question_of(table, item.raw, clean, trusted, table.stand_in)
        if item.refused or (not item.bulk and time.perf_counter() - item.handed > self.failover_s):
            self.judge.events["failovers", *named(route)] += 1
            return _question_of(table, item.raw, clean, trusted, table.stand_in)
        return _question_of(table, item.raw, clean, route, trusted)

    def _observe(self, arrived: float, judged: list[Verdict]) -> None:
        """Count the answers; tell, once a version, how long the first text of the micro-batch took."""
        for verdict in judged:
            if isinstance(verdict, Judged):
                self.judge.events["answers", *named(verdict.route), verdict.label] += 1
        if self.observe is not None:
            elapsed_ms = (time.perf_counter() - arrived) * 1000
            for model, version in {(j.route.model, j.route.version) for j in judged if isinstance(j, Judged)}:
                self.observe(model, version, elapsed_ms)

    def _table(self) -> TrafficTable:
        table = self.table()
        if table is None or not table.routes:
            raise NoModel("no model version is loaded yet; try again in a moment")
        return table


def _question_of(table: TrafficTable, raw: RawText, clean: CleanText, route: Route, fallback: Route | None) -> Question:
    """Ask each version about the text as its own normaliser leaves it; all were cleaned with the table's."""
    if not clean.text or all(each.normalizer == table.normalizer for each in (route, fallback or route)):
        return Question(clean.text, route, fallback)
    fallback_text = NORMALIZERS[fallback.normalizer](raw.text) if fallback else None
    return Question(NORMALIZERS[route.normalizer](raw.text), route, fallback, fallback_text)
