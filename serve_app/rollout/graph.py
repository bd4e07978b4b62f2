"""The composition root of a reconciler: the one place that builds its objects and ties them together."""

from __future__ import annotations

from collections.abc import Callable

from sentiment.registry import ModelRegistry
from sentiment.settings import Settings
from serve_app.rollout.cluster.load_failures import LoadFailures
from serve_app.rollout.cluster.metrics_collector import MetricsCollector
from serve_app.rollout.cluster.placement import Capacity
from serve_app.rollout.cluster.protocols import Gateways, Target
from serve_app.rollout.cluster.registry_view import RegistryView
from serve_app.rollout.cluster.replica_floors import ReplicaFloors
from serve_app.rollout.cluster.serve_view import ServeView
from serve_app.rollout.listing import Listing
from serve_app.rollout.publishing import TablePublisher
from serve_app.rollout.reconciler import Reconciler
from serve_app.rollout.rollout_store import RolloutStore
from serve_app.rollout.version_routes import VersionRoutes


def build_reconciler(
    settings: Settings,
    rollout_store: RolloutStore,
    registry: ModelRegistry,
    target: Target,
    gateways: Gateways,
    capacity: Capacity,
    *,
    now_ms: Callable[[], int],
    now_s: Callable[[], float],
) -> Reconciler:
    """Return a reconciler that has not run a round yet; `now_ms` is the time of day, `now_s` a steady clock."""
    model = settings.model_name
    routes = VersionRoutes(settings, registry)
    return Reconciler(
        settings=settings,
        rollout_store=rollout_store,
        target=target,
        gateways=gateways,
        registry_view=RegistryView(registry, model, settings.registry_poll_s, now_ms, now_s),
        serve_view=ServeView(target, settings.home),
        routes=routes,
        publisher=TablePublisher(settings, rollout_store, routes, now_ms),
        listing=Listing(rollout_store.store, model),
        metrics=MetricsCollector(gateways, now_s),
        failures=LoadFailures(now_s),
        floors=ReplicaFloors(target),
        capacity=capacity,
        now_ms=now_ms,
        now_s=now_s,
    )
