"""The traffic table: which model versions answer, with which share. A row in the text store, pushed and polled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

KIND: Final = "traffic"


@dataclass(frozen=True, slots=True)
class Route:
    """One version that is loaded, and the share of the traffic that it gets (`weight`, 0 to 1)."""

    model: str
    version: int
    app: str
    digest: str
    labels: tuple[str, ...]
    normalizer: str
    weight: float


@dataclass(frozen=True, slots=True)
class TrafficTable:
    """The versions of one registered model that are loaded; `generation` grows with every change."""

    generation: int
    routes: tuple[Route, ...]

    @property
    def normalizer(self) -> str:
        """The normaliser of the version with the greatest weight: the one that the traffic is cleaned with."""
        return max(self.routes, key=lambda route: route.weight).normalizer

    def choose(self, point: float) -> Route:
        """Return the route that owns `point`, a number in [0, 1) drawn for the request."""
        total = sum(route.weight for route in self.routes)
        remaining = point * total
        for route in self.routes:
            remaining -= route.weight
            if remaining < 0:
                return route
        return max(self.routes, key=lambda route: route.weight)


def to_body(routes: tuple[Route, ...]) -> dict[str, Any]:
    """Return the table as the store's JSON."""
    return {"routes": [asdict(route) | {"labels": list(route.labels)} for route in routes]}


def from_body(generation: int, body: Mapping[str, Any]) -> TrafficTable:
    """Read the table back from the store's JSON."""
    routes = (Route(**(row | {"labels": tuple(row["labels"])})) for row in body["routes"])
    return TrafficTable(generation, tuple(routes))
