"""The Insight deployment: the one process that owns the insight index, feeds it from the store and answers from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import Any, Final, TypeVar

from ray import serve
from ray.util.metrics import Counter, Gauge

from deployments.logs import log_with_serve
from deployments.state_metrics import StateMetrics
from sentiment.access.secret import secret_of
from sentiment.clock import epoch_ms
from sentiment.insight.embedded.index import TantivyIndex
from sentiment.insight.indexer import Indexer
from sentiment.insight.query.parser import parse_query
from sentiment.insight.values import IdPage
from sentiment.priority import give_way, rise
from sentiment.settings import load_settings
from sentiment.store import open_store
from sentiment.text import keyed_digest
from sentiment.writes.periodic import Periodic
from serve_app.insight.search import InsightAnswer, Question, Search
from serve_app.insight.service import InsightService
from serve_app.rollout.marks import rollout_marks

_Result = TypeVar("_Result")

#: The pause between two commits: with it, at most one a second.
_TICK_S: Final = 1.0
_RENEWAL_S: Final = 600.0
_METRICS_S: Final = 2.0
_READERS: Final = 2


class InsightMetrics(StateMetrics):
    """What Prometheus sees of the index."""

    def __init__(self) -> None:
        super().__init__(
            {
                "texts": Gauge("undertone_insight_texts", "texts in the insight index"),
                "pending": Gauge("undertone_insight_pending", "changes of texts that the insight index has not"),
                "behind_s": Gauge("undertone_insight_lag_s", "seconds since the insight index had all changes"),
            },
            {"commits": Counter("undertone_insight_commits_total", "commits of the insight index")},
        )


@serve.deployment(
    name="Insight",
    max_ongoing_requests=64,
    max_queued_requests=256,
    graceful_shutdown_timeout_s=10,
    logging_config={"enable_access_log": False},  # a line a call costs more than the call
    ray_actor_options={"num_cpus": 0},
)
class Insight:
    """Owns the index. One replica: a second one waits for the folder's lock."""

    def __init__(self) -> None:
        log_with_serve()
        settings = load_settings()
        secret = secret_of(settings)
        self._store = open_store(settings)
        # MongoDB deletes what has expired by itself, and tells nobody.
        silent_expiry = settings.mongo_uri is not None and settings.retention_days is not None
        self._indexer = Indexer(
            self._store, partial(TantivyIndex, settings.insight_path), epoch_ms, always_renews=silent_expiry
        )
        parse = partial(parse_query, author_key=partial(keyed_digest, secret))
        marks = partial(rollout_marks, self._store, settings.model_name)
        self._service = InsightService(self._indexer.index, parse, marks, epoch_ms)
        self._readers = ThreadPoolExecutor(_READERS, "insight")
        metrics = InsightMetrics()
        rise()
        self._periodic = [
            Periodic("insight index", _TICK_S, self._indexer.tick),
            Periodic("insight renewal", _RENEWAL_S, self._renew),
            Periodic("insight metrics", _METRICS_S, lambda: metrics.publish(asdict(self._indexer.state()))),
        ]

    async def answer(self, question: Question, search: Search) -> InsightAnswer:
        """Return the answer to a question; see `InsightService.answer`."""
        return await self._read(partial(self._service.answer, question, search))

    async def top(self, search: Search) -> IdPage:
        """Return a page of ids; see `InsightService.top`."""
        return await self._read(partial(self._service.top, search))

    async def why(self, search: Search) -> dict[str, Any]:
        """Return why a tone moved; see `InsightService.why`."""
        return await self._read(partial(self._service.why, search))

    async def _read(self, ask: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._readers, ask)

    def _renew(self) -> None:
        give_way()  # to read all texts takes minutes, and nobody waits for it
        self._indexer.renew_if_due()

    def __del__(self) -> None:  # Serve calls it once a replica has answered its last request
        for periodic in getattr(self, "_periodic", []):
            periodic.close()
        self._periodic = []
        if hasattr(self, "_indexer"):
            self._indexer.close()
        if hasattr(self, "_store"):
            self._store.close()
