"""The one place that builds a gateway's objects; each of them only receives what it works with."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, Self

from sentiment.clock import epoch_ms
from sentiment.records import CleanText, RawText, TextRecord
from sentiment.settings import Settings
from sentiment.store import TextStore
from serve_app.gateway.backend import Backend
from serve_app.gateway.batching.micro_batcher import MicroBatcher
from serve_app.gateway.batching.write_coalescing import CoalescedCall, Lane, LaneActivity
from serve_app.gateway.canary.batch_recorder import BatchRecorder
from serve_app.gateway.canary.counted_texts import CountedTexts
from serve_app.gateway.canary.paired_feedback import PairedFeedback
from serve_app.gateway.canary.shadow import Mirror
from serve_app.gateway.canary.stage_metrics import StageMetrics
from serve_app.gateway.canary.throughput_baseline import ThroughputBaseline
from serve_app.gateway.inference.answer_cache import AnswerCache
from serve_app.gateway.inference.failover import FailoverClassifier
from serve_app.gateway.inference.request import SubmittedText
from serve_app.gateway.prediction.answer import Prediction
from serve_app.gateway.prediction.dry_run import DryRun, ModelParts
from serve_app.gateway.prediction.persistence import Persistence
from serve_app.gateway.prediction.pipeline import Observe, Pipeline
from serve_app.gateway.prediction.preprocessing import Preprocessing
from serve_app.gateway.prediction.service import Batcher, PredictionService, Writing
from serve_app.gateway.prediction.version_draw import VersionDraw
from serve_app.routing.traffic_table import TrafficTable

ReadTable = Callable[[], TrafficTable | None]


class Parts(ModelParts, Writing, Protocol):
    """The parts behind the gateway; each call carries a micro-batch."""


@dataclass(frozen=True)
class GatewayOptions:
    """The limits and times of one gateway."""

    max_items: int
    """Most texts of a micro-batch."""
    gather_s: float
    """Most seconds that a busy gateway gathers."""
    in_flight: int
    """Most micro-batches under way at once."""
    max_queued: int
    """Most texts that may wait for a micro-batch."""
    cache_texts: int = 100
    """Most answers in the cache."""
    retention_days: float | None = None
    failover_s: float = 0.3
    """Seconds that a text waits for a candidate."""
    drawn_together: int = 16
    """Most texts of a micro-batch that get one draw of a version."""
    is_filled: bool = False
    """Whether the ingress sends single texts to one gateway until that is full."""

    @classmethod
    def of(cls, settings: Settings, *, local: bool) -> Self:
        """Return the settings' options; `local` means that the platform's own supervisor configured the ingress."""
        return cls(
            max_items=settings.max_gather_texts,
            gather_s=settings.gather_ms / 1000,
            in_flight=settings.micro_batches_in_flight,
            max_queued=settings.max_queued_texts,
            cache_texts=settings.cache_texts,
            retention_days=settings.retention_days,
            failover_s=settings.rollouts_failover_ms / 1000,
            is_filled=local and settings.gateway_fill > 0,
        )


@dataclass(frozen=True)
class GatewayGraph:
    """The objects of one gateway that its deployment, its HTTP interface and its metrics use."""

    service: PredictionService
    classifier: FailoverClassifier
    cache: AnswerCache
    metrics: StageMetrics
    mirror: Mirror
    table: ReadTable


def build_graph(
    parts: Parts,
    table: ReadTable,
    options: GatewayOptions,
    *,
    clean_here: Callable[[RawText, str], CleanText] | None = None,
    observe: Observe | None = None,
    draw: Callable[[], float] = random.random,
    now_ms: Callable[[], int] = epoch_ms,
) -> GatewayGraph:
    """Build the objects that answer texts.

    `clean_here` is the Preprocessor's own function, for small micro-batches. `draw` returns random points of [0, 1).
    """
    cache, metrics = AnswerCache(options.cache_texts), StageMetrics(table)
    classifier = FailoverClassifier(parts.classify, cache, options.failover_s)
    baseline = ThroughputBaseline(options.in_flight)
    limits = options.max_items, options.gather_s, options.in_flight, options.max_queued

    async def answer(lane: Lane, batch: list[SubmittedText]) -> Awaitable[list[Prediction | Exception]]:
        return await pipeline.answer(lane, batch)

    def has_room(texts: int, *, bulk: bool) -> bool:
        return candidate.has_room(texts, bulk=bulk)

    primary: Batcher = MicroBatcher(partial(answer, Lane.PRIMARY), *limits, longest_turn_s=options.failover_s)
    mirror = Mirror(classifier, metrics, primary, draw)
    pipeline = Pipeline(
        table=table,
        preprocess=Preprocessing(parts.clean, clean_here) if clean_here else parts.clean,
        classifier=classifier,
        persistence=Persistence(CoalescedCall(parts.write), options.retention_days, now_ms),
        recorder=BatchRecorder(metrics, baseline, mirror, options.failover_s, options.is_filled),
        lanes=LaneActivity(),
        failover_s=options.failover_s,
        observe=observe,
    )
    version_draw = VersionDraw(pipeline.require_table, draw, has_room, options.drawn_together)
    candidate: Batcher = MicroBatcher(
        partial(answer, Lane.CANDIDATE), *limits, follows=primary, claim=version_draw.claim
    )
    dry_run = DryRun(parts, classifier)
    service = PredictionService(pipeline, primary, candidate, version_draw, dry_run, baseline, parts)
    return GatewayGraph(service, classifier, cache, metrics, mirror, table)


def build_backend(
    graph: GatewayGraph,
    store: TextStore,
    secret: bytes,
    settings: Settings,
    *,
    forget: Callable[[bytes | None], Awaitable[None]],
    sink_state: Callable[[], Awaitable[dict[str, Any]]],
    node_metrics: Callable[[], Awaitable[str]],
    now_ms: Callable[[], int] = epoch_ms,
) -> Backend:
    """Build what the HTTP routes call; `Backend` describes the functions."""
    counted = CountedTexts(store, settings.model_name)

    async def read(ids: list[str]) -> dict[str, TextRecord]:
        return await asyncio.to_thread(store.get_many, ids)

    async def take(rollout: str, ids: list[str]) -> set[str]:
        return await asyncio.to_thread(counted.take, rollout, ids)

    return Backend(
        service=graph.service,
        pairs=PairedFeedback(graph.classifier, graph.metrics, graph.table, read, take, graph.service.primary),
        store=store,
        secret=secret,
        model_name=settings.model_name,
        table=graph.table,
        forget=forget,
        sink_state=sink_state,
        metrics=node_metrics,
        explain_concurrency=settings.explain_concurrency,
        store_is_needed=settings.durability == "store",
        now_ms=now_ms,
    )
