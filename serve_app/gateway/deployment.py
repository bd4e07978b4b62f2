"""The Gateway deployment, the HTTP ingress: it gathers texts into micro-batches and sends them through the parts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from ray import serve
from ray.serve.config import BackpressureConfig
from ray.serve.handle import DeploymentHandle

from deployments.logs import log_with_serve
from deployments.preprocessor import cleaner_of
from sentiment.access.keys import KeyRing
from sentiment.access.secret import secret_of
from sentiment.clock import epoch_ms
from sentiment.priority import rise
from sentiment.settings import load_settings
from sentiment.store import open_store
from serve_app.gateway.graph import GatewayOptions, build_backend, build_graph
from serve_app.gateway.http.app import build_http_app
from serve_app.gateway.metrics import GatewayMetrics, node_metrics
from serve_app.gateway.remote import RemoteIndex, RemoteParts
from serve_app.on_cluster.standing import INSTANCE
from serve_app.routing.table_watcher import TrafficWatch
from serve_app.routing.traffic_table import KIND, Route, from_body

logger = logging.getLogger(__name__)

#: Most requests that one gateway works on at once, and most that may wait; HAProxy counts both for each replica.
MAX_ONGOING_REQUESTS: Final = 1024
MAX_QUEUED_REQUESTS: Final = 1024
_METRICS_EVERY_S: Final = 1.0
_FORGET_S: Final = 3.0
#: The part of a request's time after which it hears that the index is away, rather than nothing.
_INDEX_PATIENCE: Final = 0.8
_OPENING_TEXT: Final = "a first text"


class _StoredKeys:
    """The API keys of the store, looked up off the event loop."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def scopes_of(self, token: str) -> frozenset[str] | None:
        if self._ring.is_fresh():  # it answers from memory: a thread would cost more
            return self._ring.scopes_of(token, epoch_ms())
        return await asyncio.to_thread(self._ring.scopes_of, token, epoch_ms())


@serve.deployment(
    name="Gateway",
    max_ongoing_requests=MAX_ONGOING_REQUESTS,
    max_queued_requests=MAX_QUEUED_REQUESTS,
    backpressure_config=BackpressureConfig(status_code=429, retry_after_s=1),
    graceful_shutdown_timeout_s=20,
    health_check_period_s=5,
    logging_config={"enable_access_log": False},  # a line of log costs more than a call
    ray_actor_options={"num_cpus": 0},
)
@serve.ingress()
class Gateway:
    """Answers HTTP. It takes requests once a traffic table is in force and its versions have answered.

    `local` means that the platform's own supervisor configured the ingress. Only then is no key needed on loopback.
    """

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self,
        preprocessor: DeploymentHandle,
        sink: DeploymentHandle,
        controller: DeploymentHandle,
        insight: DeploymentHandle | None = None,
        *,
        local: bool,
    ) -> None:
        # The handle is unused: binding it is what deploys the controller with this application.
        del controller
        log_with_serve()
        settings = load_settings()
        self._settings, self._instance = settings, ""
        self._needs_key = not (local and settings.on_loopback)
        self._store = await asyncio.to_thread(open_store, settings)
        patience_s = settings.deadline_ms / 1000
        self._parts = RemoteParts(preprocessor, sink, patience_s)
        self._index = None if insight is None else RemoteIndex(insight, _INDEX_PATIENCE * patience_s)
        self._watch = TrafficWatch(self._read_table, self._open_route)
        self._metrics = GatewayMetrics()
        self._graph = build_graph(
            self._parts,
            lambda: self._watch.table,
            GatewayOptions.of(settings, local=local),
            clean_here=cleaner_of(settings),
            observe=self._metrics.prediction,
        )
        secret = secret_of(settings)
        self._backend = build_backend(
            self._graph,
            self._store,
            secret,
            settings,
            forget=_forgetting(serve.get_replica_context().app_name),
            sink_state=self._parts.sink_state,
            node_metrics=node_metrics,
        )
        self._keys = _StoredKeys(KeyRing(self._store, secret, time.monotonic))
        await self._watch.wait_for_table()
        self._tasks = [asyncio.create_task(self._watch.follow()), asyncio.create_task(self._report())]
        rise()

    def __serve_build_asgi_app__(self) -> Any:
        return build_http_app(
            self._backend,
            self._keys,
            self._settings,
            self._metrics.request,
            needs_key=self._needs_key,
            adds_request_id=False,
            instance=lambda: self._instance,
            index=self._index,
        )

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Set the id of the platform's start that this gateway belongs to."""
        self._instance = str(user_config.get(INSTANCE, ""))

    async def update_traffic(self, generation: int, body: dict[str, Any]) -> None:
        """Put the traffic table in force that the controller pushes."""
        await self._watch.adopt(from_body(generation, body))

    async def observations(self) -> dict[str, Any]:
        """Return this gateway's counts of the rollout's present stage, and the generation of its traffic table."""
        return self._graph.metrics.report() | {"generation": self._watch.generation}

    async def forget(self, digest: bytes | None) -> None:
        """Drop a text's answers from the cache, or all answers for None, and all texts that wait to be mirrored."""
        self._graph.mirror.forget()
        if digest is None:
            self._graph.cache.clear()
        else:
            self._graph.cache.forget(digest)

    def check_health(self) -> None:
        """Fail if the traffic table is no longer followed, or the metrics are no longer reported."""
        if any(task.done() for task in self._tasks):
            raise RuntimeError("a background task of the gateway has ended")

    def _read_table(self) -> Any:
        return self._store.get_document(KIND, self._settings.model_name)

    async def _open_route(self, route: Route) -> None:
        await self._parts.classify(route, [_OPENING_TEXT])

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(_METRICS_EVERY_S)
            self._metrics.report(self._graph)


def _forgetting(app_name: str) -> Callable[[bytes | None], Awaitable[None]]:
    """Return a function that makes all gateways of an application drop a text's answers, or all answers."""

    async def forget(digest: bytes | None) -> None:
        gateways = serve.get_deployment_handle("Gateway", app_name, _check_exists=False)
        try:
            await gateways.broadcast("forget", digest).results_async(timeout_s=_FORGET_S, return_exceptions=True)
        except Exception as exc:  # noqa: BLE001 - a gateway that has ended has no cache any more
            logger.warning("not all gateways confirmed that they dropped a deleted text: %s", type(exc).__name__)

    return forget
