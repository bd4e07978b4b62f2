"""Rollouts, what is seen of them, and what a listing tells, for tests."""

from __future__ import annotations

from typing import Any

from sentiment.settings import Settings
from sentiment.store import TextStore
from serve_app.rollout.policy.record import Entry, Rollout, StartRequest, State
from serve_app.routing.model_list import MODELS_KIND
from serve_app.routing.observations import Arm, Latencies, Observations, bucket_of
from serve_app.routing.traffic_table import KIND as TRAFFIC
from serve_app.routing.traffic_table import Route, to_body

LABELS = ("negative", "neutral", "positive")
START_MS = 1_000_000
HOLD_S = 60.0


def rollout_of(
    state: State = State.WAITING,
    stage: int = 0,
    *,
    request: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    seen: Observations | None = None,
    **changes: Any,
) -> Rollout:
    """Return the record of a rollout of version 2 over version 1, in some state since START_MS."""
    asked = StartRequest(version=2, hold_s=HOLD_S, **(request or {}))
    begun = Rollout.begin(asked, Settings(**(settings or {})), 1, START_MS, "asked for")
    entry = Entry(at_ms=START_MS, state=state, stage=stage, reason="for the test")
    record = begun.with_decision(entry, **changes)
    return record.with_counts(stage, "gateway-1", seen.to_json()) if seen else record


def times(milliseconds: float, count: int) -> Latencies:
    """Return `count` times of about so many milliseconds."""
    return Latencies({bucket_of(milliseconds): count})


def arm(
    requests: int,
    errors: int = 0,
    milliseconds: float = 10.0,
    labels: dict[str, int] | None = None,
    *,
    unread: int = 0,
    lost: int = 0,
) -> Arm:
    """Return what a version did with so many texts, each a call of its own."""
    answered = requests - errors
    latency, all_to = times(milliseconds, answered), (unread, requests, lost)
    return Arm(requests, errors, latency, labels or {"positive": answered}, 0.9 * answered, *all_to)


def serve_version(store: TextStore, version: int = 1, model: str = "sentiment") -> None:
    """Write the table of a version that answers everything."""
    route = Route(model, version, f"classifier-v{version}", f"digest-{version}", LABELS, "1", 1.0)
    store.put_document(TRAFFIC, model, to_body((route,)))


def list_models(store: TextStore, versions: dict[int, tuple[str, ...]], model: str = "sentiment") -> None:
    """Write the list of registered versions with their labels."""
    idle = {"name": model, "aliases": [], "state": "registered", "weight": 0.0, "metrics": {}}
    rows = [{**idle, "version": version, "labels": list(labels)} for version, labels in versions.items()]
    store.put_document(MODELS_KIND, model, {"models": rows})
