"""Applications, gateways and clocks for a reconciler, without Ray: all of it is told what to do by the test."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sentiment.errors import ModelRejected
from serve_app.rollout.cluster.placement import Capacity
from serve_app.rollout.cluster.protocols import AppView
from serve_app.rollout.policy.decisions import AppState
from serve_app.routing.observations import Observations


@dataclass
class Clock:
    """Time that passes when the test says so."""

    s: float = 1_000.0

    def now_s(self) -> float:
        return self.s

    def now_ms(self) -> int:
        return int(self.s * 1000)


@dataclass
class FakeTarget:
    """Applications that run at once, except `broken` ones (with Serve's message), `hanging` and `refused` ones."""

    broken: dict[int, str] = field(default_factory=dict)
    hanging: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    lack: str | None = None
    views: dict[int, AppView] = field(default_factory=dict)
    acts: list[tuple[str, int]] = field(default_factory=list)
    capacities: dict[int, Capacity] = field(default_factory=dict)
    floors: list[tuple[int, int]] = field(default_factory=list)

    def apps(self) -> dict[int, AppView]:
        return dict(self.views)

    def start(self, model: str, version: int, digest: str, capacity: Capacity) -> None:
        assert digest
        self.acts.append(("start", version))
        self.capacities[version] = capacity
        state = AppState.LOADING if version in self.hanging else AppState.RUNNING
        view = AppView(AppState.FAILED, self.broken[version]) if version in self.broken else AppView(state)
        self.views[version] = view

    def retire(self, version: int) -> None:
        self.acts.append(("retire", version))
        self.views.pop(version)

    def keep_replicas(self, version: int, least: int) -> None:
        assert self.views[version].state is AppState.RUNNING
        self.floors.append((version, least))

    def no_room(self, version: int, capacity: Capacity) -> str | None:
        return self.lack

    async def check(self, version: int) -> dict[str, float]:
        if version in self.refused:
            raise ModelRejected("it says (0.1, 0.9) of 'a text', the record (0.9, 0.1)")
        return {"checked": 3.0, "worst_distance": 0.001}


@dataclass
class FakeGateways:
    """Gateways that count what the test says: by gateway, for the rollout and the stage of the table in force.

    Where the test names none, one answers that has counted nothing, unless all are `silent`. To those that are
    `deaf_to` a version no table comes that gives it traffic, but for those that `hear` all the same.
    """

    counts: dict[str, Observations] = field(default_factory=dict)
    tables: list[dict[str, Any]] = field(default_factory=list)
    silent: bool = False
    deaf_to: int | None = None
    hear: frozenset[str] = frozenset()

    async def push(self, generation: int, body: dict[str, Any]) -> None:
        assert not self.tables or generation > self.tables[-1]["generation"]
        self.tables.append({"generation": generation, **body})

    async def observations(self) -> list[dict[str, Any]]:
        counts = {} if self.silent else self.counts or {"idle": Observations()}
        return [{"gateway": name, "counts": seen.to_json(), **self._in_force(name)} for name, seen in counts.items()]

    def _in_force(self, gateway: str) -> dict[str, Any]:
        deaf_to = None if gateway in self.hear else self.deaf_to
        table = next(table for table in reversed(self.tables) if not _has_traffic(table, deaf_to))
        return {name: table[name] for name in ("rollout", "stage", "generation")}

    def weights(self) -> list[dict[int, float]]:
        """Return the weights of every table that was pushed, in order."""
        return [{route["version"]: route["weight"] for route in table["routes"]} for table in self.tables]


def _has_traffic(table: dict[str, Any], version: int | None) -> bool:
    return any(route["version"] == version and route["weight"] > 0 for route in table["routes"])


def without_repeats(items: Iterable[Any]) -> list[Any]:
    """Return the items, each run of equal ones once."""
    kept: list[Any] = []
    for item in items:
        if not kept or kept[-1] != item:
            kept.append(item)
    return kept
