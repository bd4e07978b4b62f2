"""Fakes of the parts behind the gateway, for tests without Ray: a word list for a model, a memory store for a sink."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field, replace

import httpx

from deployments.preprocessor import clean
from sentiment.errors import Unavailable
from sentiment.labels import prior_of
from sentiment.records import Answers, CleanText, Explanation, Operation, Outcome, RawText
from sentiment.settings import Settings
from sentiment.store.memory import MemoryStore
from serve_app.gateway.backend import Backend
from serve_app.gateway.graph import GatewayOptions, build_backend, build_graph
from serve_app.gateway.prediction.answer import Prediction
from serve_app.insight.api import IndexQueries
from serve_app.routing.observations import Observations
from serve_app.routing.traffic_table import Route, TrafficTable
from tests.unit.gateway.shared_app import SharedApp, own_app

LABELS = ("negative", "neutral", "positive")
SECRET = b"s" * 32
ROUTE = Route("sentiment", 3, "classifier-v3", "d" * 64, LABELS, "1", 1.0)
TRIAL = Route("sentiment", 4, "classifier-v4", "e" * 64, LABELS, "1", 0.0)


@dataclass
class FakeParts:
    """Says positive to texts with "love", negative to "hate", fails on "poison"; counts what it is asked.

    Version 4, on trial in some tests, says negative to "meh" as well, fails on "venom", takes `trial_delay_s` and is
    `trial_gone` where a test wants it.
    """

    store: MemoryStore = field(default_factory=MemoryStore)
    classified: list[list[str]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    cleaned: list[int] = field(default_factory=list)
    delay_s: float = 0.0
    broken: bool = False
    trial_delay_s: float = 0.0
    trial_gone: bool = False

    async def clean(self, texts: list[RawText], normalizer: str) -> list[CleanText]:
        self.cleaned.append(len(texts))
        return [clean(raw, normalizer, SECRET) for raw in texts]

    async def classify(self, route: Route, texts: list[str]) -> Answers:
        self.classified.append(texts)
        self.asked.append(route.version)
        on_trial = route.version == TRIAL.version
        await asyncio.sleep(self.trial_delay_s if on_trial else self.delay_s)
        if self.broken or (on_trial and self.trial_gone):
            raise Unavailable("no classifier answered")
        probabilities = [_on_trial(text) if on_trial else _answer(text) for text in texts]
        errors = {index: "it fails" for index, answer in enumerate(probabilities) if answer is None}
        truncated = [len(text) > 1000 for text in texts]
        read = ["fremd" not in text for text in texts]
        probabilities = [
            answer if known else prior_of(LABELS) for answer, known in zip(probabilities, read, strict=True)
        ]
        languages = ["en" if known else "de" for known in read]
        figures = (10, 12, 1.5)
        return Answers(route.model, route.version, LABELS, probabilities, truncated, errors, *figures, languages, read)

    async def explain(self, route: Route, text: str) -> Explanation:
        on_trial = route.version == TRIAL.version
        await asyncio.sleep(self.trial_delay_s if on_trial else self.delay_s)
        if on_trial and self.trial_gone:
            raise Unavailable("no classifier answered")
        words = text.split()
        weights = [0.5 if word == "love" else 0.0 for word in words]
        probabilities = dict(zip(LABELS, _word_list(text), strict=True))
        said = ("en", True) if "fremd" not in text else ("de", False)
        return Explanation(words, weights, "positive", 0.7, probabilities, False, route.model, route.version, *said)

    async def write(self, operations: list[Operation]) -> list[Outcome]:
        return self.store.apply(operations)


def _answer(text: str) -> tuple[float, ...] | None:
    return None if "poison" in text else _word_list(text)


def _on_trial(text: str) -> tuple[float, ...] | None:
    if "venom" in text:
        return None
    return (0.7, 0.2, 0.1) if "meh" in text else _answer(text)


def _word_list(text: str) -> tuple[float, ...]:
    if "love" in text:
        return (0.1, 0.1, 0.8)
    return (0.8, 0.1, 0.1) if "hate" in text else (0.1, 0.8, 0.1)


def canary_of(weight: float, *, shadow: float = 0.0, **fields: object) -> TrafficTable:
    """Return the table of a rollout in which version 4 has that weight or shadow share."""
    routes = replace(ROUTE, weight=1 - weight), replace(TRIAL, weight=weight, shadow=shadow)
    return TrafficTable(1, routes, **({"rollout": "r-1", "stage": 1, "sides": (3, 4)} | fields))


class FakeGateway:
    """A gateway's objects over the fakes. A test may put another `table` or `draw` in place of the first."""

    def __init__(self, parts: FakeParts, table: TrafficTable | None = None, **overrides: object) -> None:
        first = table or TrafficTable(1, (ROUTE,))
        self.table = lambda: first
        self.draw = overrides.pop("draw", random.random)
        built_with = {name: overrides.pop(name) for name in ("clean_here", "observe", "now_ms") if name in overrides}
        options = {"max_items": 8, "gather_s": 0.001, "in_flight": 2, "max_queued": 100} | overrides
        graph = build_graph(parts, self._table, GatewayOptions(**options), draw=self._draw, **built_with)
        self.graph, service = graph, graph.service
        self.predict, self.probe, self.explain, self.insert = (
            service.predict,
            service.probe,
            service.explain,
            service.insert,
        )
        self.classifier, self.metrics, self.mirror, self.cache = (
            graph.classifier,
            graph.metrics,
            graph.mirror,
            graph.cache,
        )

    def _table(self) -> TrafficTable | None:
        return self.table()

    def _draw(self) -> float:
        return self.draw()


def service_of(parts: FakeParts, table: TrafficTable | None = None, **overrides: object) -> FakeGateway:
    """Return what answers texts, over the fakes."""
    return FakeGateway(parts, table, **overrides)


def backend_of(parts: FakeParts, **overrides: object) -> Backend:
    """Return a backend over the fakes, whose gateway is its `fake`; the one cache stands for those of all gateways."""
    gateway = FakeGateway(parts, **overrides)

    async def forget(digest: bytes | None) -> None:
        gateway.cache.clear() if digest is None else gateway.cache.forget(digest)

    async def sink_state() -> dict[str, object]:
        return {"store_reachable": True}

    async def metrics() -> str:
        return "# HELP undertone_queue_texts texts\n"

    backend = build_backend(
        gateway.graph,
        parts.store,
        SECRET,
        Settings(model_name="sentiment", explain_concurrency=2),
        forget=forget,
        sink_state=sink_state,
        node_metrics=metrics,
    )
    backend.fake = gateway
    return backend


class NoKeys:
    async def scopes_of(self, token: str) -> frozenset[str] | None:
        scopes = {"nothing": frozenset[str](), "reader": frozenset({"read"})}
        return {**scopes, "all": frozenset({"read", "predict", "admin"})}.get(token)


def client_of(
    parts: FakeParts,
    *,
    backend_options: dict | None = None,
    index: IndexQueries | None = None,
    shares_app: bool = True,
    **settings: object,
) -> httpx.AsyncClient:
    options = Settings(**({"max_text_characters": 2000, "max_body_bytes": 100_000} | settings))
    build = SharedApp if shares_app else own_app
    app = build(backend_of(parts, **(backend_options or {})), NoKeys(), index, options)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


def seen_by(service: FakeGateway) -> Observations:
    return Observations.from_json(service.metrics.report()["counts"])


async def in_turn(service: FakeGateway, texts: list[RawText]) -> list[Prediction]:
    """Ask for one text a call, each call a moment after the one before."""
    calls = []
    for text in texts:
        calls.append(asyncio.create_task(service.predict([text])))
        await asyncio.sleep(0.005)
    return [answer for call in calls for answer in await call]


async def mirrored(service: FakeGateway, texts: int) -> Observations:
    for _ in range(1000):
        await asyncio.sleep(0.01)
        if seen_by(service).arm(4).requests >= texts:
            break
    return seen_by(service)


def alternating() -> object:
    points = iter([0.1, 0.9] * 500)
    return lambda: next(points)
