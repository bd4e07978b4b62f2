"""The metrics of a gateway, and those of its whole node in Prometheus' format."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Sequence
from typing import Final

import httpx
import ray
from ray.exceptions import RayError
from ray.util.metrics import Counter, Gauge, Histogram

from sentiment.errors import Unavailable
from serve_app.gateway.graph import GatewayGraph
from serve_app.gateway.inference.failover import Events
from serve_app.gateway.inference.request import metric_labels
from serve_app.routing.traffic_table import Route

_BOUNDS_MS: Final = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000]
#: Ray puts its name before the names of the applications' metrics.
_OWN_PREFIX: Final = "ray_undertone_"
_TIMEOUT_S: Final = 5.0


#: The kinds of `failover.Events`: name, meaning, labels.
_EVENTS: Final = {
    "cache_hits": ("undertone_cache_hits_total", "texts answered from the cache", ("model", "version")),
    "coalesced": (
        "undertone_coalesced_total",
        "texts answered with an equal text in flight",
        ("model", "version"),
    ),
    "answers": ("undertone_answers_total", "texts answered", ("model", "version", "label")),
    "failovers": (
        "undertone_failovers_total",
        "texts that a candidate failed on and the champion answered",
        ("model", "version"),
    ),
    "mirrored": (
        "undertone_mirrored_total",
        "texts mirrored to a version: agreed, disagreed, failed, dropped",
        ("model", "version", "result"),
    ),
    "labelled": (
        "undertone_labelled_total",
        "answers of a version that feedback called right or wrong during a rollout",
        ("model", "version", "right"),
    ),
}


class GatewayMetrics:
    """Latency by route and by version, queue depth, cache hits, shares of traffic, what versions answered."""

    def __init__(self) -> None:
        self._request = Histogram(
            "undertone_request_ms", "time to answer a request", boundaries=_BOUNDS_MS, tag_keys=("route", "status")
        )
        self._prediction = Histogram(
            "undertone_prediction_ms",
            "time to answer the first text of a micro-batch",
            boundaries=_BOUNDS_MS,
            tag_keys=("model", "version"),
        )
        self._queue = Gauge("undertone_queue_texts", "texts that wait for a micro-batch")
        self._events = {kind: Counter(name, text, tag_keys=tags) for kind, (name, text, tags) in _EVENTS.items()}
        self._weight = Gauge("undertone_traffic_weight", "share of the traffic", tag_keys=("model", "version"))
        self._shadow = Gauge("undertone_traffic_shadow", "share of the traffic mirrored", tag_keys=("model", "version"))
        self._routed: set[tuple[str, str]] = set()
        self._published: Events = collections.Counter()

    def request(self, route: str, status: int, elapsed_ms: float) -> None:
        """Count an answered request."""
        self._request.observe(elapsed_ms, {"route": route, "status": str(status)})

    def prediction(self, model: str, version: int, elapsed_ms: float) -> None:
        """Count an answered micro-batch."""
        self._prediction.observe(elapsed_ms, {"model": model, "version": str(version)})

    def report(self, graph: GatewayGraph) -> None:
        """Publish the present state, and the events since the last report."""
        self._queue.set(graph.service.primary.queued + graph.service.candidate.queued)
        self._report_events(graph.classifier.events)
        table = graph.table()
        self._report_shares(table.routes if table else ())

    def _report_events(self, events: Events) -> None:
        for (kind, *labels), count in (events - self._published).items():
            self._events[kind].inc(count, dict(zip(_EVENTS[kind][2], labels, strict=True)))
        self._published = events.copy()

    def _report_shares(self, routes: Sequence[Route]) -> None:
        shares = {metric_labels(route): (route.weight, route.shadow) for route in routes}
        for model, version in self._routed | shares.keys():  # those that have left the table get 0
            weight, shadow = shares.get((model, version), (0.0, 0.0))
            self._weight.set(weight, {"model": model, "version": version})
            self._shadow.set(shadow, {"model": model, "version": version})
        self._routed = set(shares)


async def node_metrics() -> str:
    """Return the metrics of all processes of this node; Undertone's without Ray's prefix.

    Raises:
        Unavailable: Ray's metrics agent does not answer.
    """
    try:
        address = await asyncio.to_thread(_agent_address)
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
            answer = await client.get(f"http://{address}/metrics")
            answer.raise_for_status()
    except (httpx.HTTPError, RayError, KeyError) as exc:
        raise Unavailable("the node's metrics agent does not answer; try again") from exc
    return answer.text.replace(_OWN_PREFIX, "undertone_")


def _agent_address() -> str:
    node_id = ray.get_runtime_context().get_node_id()
    node = next((node for node in ray.nodes() if node["NodeID"] == node_id), None)
    if node is None:
        raise Unavailable("Ray does not list this node yet; try again in a moment")
    return f"{node['NodeManagerAddress']}:{node['MetricsExportPort']}"
