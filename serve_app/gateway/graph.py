"""Builds a gateway's objects, and nothing else does: each of them only receives what it works with."""

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
    """What one gateway may do at once, and for how long it waits."""

    #: Texts of one micro-batch.
    max_items: int
    #: How long a busy gateway gathers, in seconds.
    gather_s: float
    #: Micro-batches under way at once.
    in_flight: int
    #: Texts that may wait for a micro-batch.
    max_queued: int
    #: Answers that the cache keeps.
    cache_texts: int = 100
    retention_days: float | None = None
    #: How long a text waits for a version on trial.
    failover_s: float = 0.3
    #: Texts of a micro-batch for which one version is drawn.
    drawn_together: int = 16
    #: Whether the ingress gives single texts to one gateway as long as it suffices.
    is_filled: bool = False

    @classmethod
    def of(cls, settings: Settings, *, local: bool) -> Self:
        """Return what the settings say; `local` is a platform whose own supervisor bound the ingress."""
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
    """The objects of one gateway that its deployment, its HTTP interface and its metrics reach for."""

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
    """Build what answers texts.

    `clean_here` is what the Preprocessor does to a text: small micro-batches are cleaned by it without a call. `draw`
    gives points of [0, 1) by chance.
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
    """Build what the HTTP routes call.

    `forget` tells all gateways to drop a text's answers (its digest, or None for all answers); `sink_state` asks a sink
    how it is; `node_metrics` returns the node's metrics as Prometheus text.
    """
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
