"""The traffic table: which model versions answer, with which share. A document of the text store, pushed and polled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

KIND: Final = "traffic"

#: What keeps a client on one version during a rollout: nothing, the text's author, or the API key.
Sticky = Literal["none", "author", "key"]


@dataclass(frozen=True, slots=True)
class Route:
    """One loaded version, and what a gateway must know to call it."""

    model: str
    version: int
    app: str
    """Name of its Serve application."""
    digest: str
    """Digest of the version's files."""
    labels: tuple[str, ...]
    normalizer: str
    """Name of the normaliser that it was trained with."""
    weight: float
    """Share of the traffic that it answers, 0 to 1."""
    shadow: float = 0.0
    """Share of the other versions' texts that are mirrored to it, 0 to 1."""


@dataclass(frozen=True, slots=True)
class TrafficTable:
    """The loaded versions of one registered model and their shares."""

    generation: int
    """Grows with every change."""
    routes: tuple[Route, ...]
    """In a rollout the champion's and the challenger's come first, in this order, if they are loaded."""
    rollout: str | None = None
    """Id of the rollout under way, if any."""
    stage: int = 0
    """Stage of that rollout."""
    sticky: Sticky = "none"
    """What keeps a client on one version. While the challenger's weight only grows, a client changes sides once."""
    split: Mapping[str, int] = field(default_factory=dict)
    """The fixed split: a version for each value of the header X-Undertone-Split, or id of an API key."""
    sides: tuple[int, int] | None = None
    """Versions of champion and challenger while a rollout is under way."""

    @property
    def leader(self) -> Route:
        """The route with the greatest weight, the first of several."""
        return max(self.routes, key=lambda route: route.weight)

    @property
    def champion(self) -> Route | None:
        """The champion's route, while a rollout is under way and the champion is loaded."""
        return self.of_version(self.sides[0]) if self.sides else None

    @property
    def trusted(self) -> Route:
        """The route that answers where another one fails: the champion's while it has traffic, else the leader's."""
        champion = self.champion
        return champion if champion is not None and champion.weight > 0 else self.leader

    @property
    def stand_in(self) -> Route | None:
        """The route that answers where the trusted one fails: that of a champion without traffic, if still loaded."""
        champion = self.champion
        return None if champion is None or champion is self.trusted else champion

    @property
    def succeeded(self) -> int | None:
        """The champion's version once the challenger has all its traffic; None before."""
        return self.sides[0] if self.sides and self.trusted.version == self.sides[1] else None

    @property
    def normalizer(self) -> str:
        """The leader's normaliser: the one that texts are cleaned with."""
        return self.leader.normalizer

    @property
    def rivals(self) -> tuple[Route, Route] | None:
        """The champion's and the challenger's route, while a rollout is under way and both are loaded."""
        champion, challenger = self.champion, self.of_version(self.sides[1]) if self.sides else None
        return None if champion is None or challenger is None else (champion, challenger)

    def of_version(self, version: int) -> Route | None:
        """Return the route of a version, if it is loaded."""
        return next((route for route in self.routes if route.version == version), None)

    def choose(self, point: float) -> Route:
        """Return the route that owns `point`, a number in [0, 1) drawn for the request."""
        total = sum(route.weight for route in self.routes)
        remaining = point * total
        for route in self.routes:
            remaining -= route.weight
            if remaining < 0:
                return route
        return self.leader


def to_body(
    routes: tuple[Route, ...],
    *,
    rollout: str | None = None,
    stage: int = 0,
    sticky: Sticky = "none",
    split: Mapping[str, int] | None = None,
    sides: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """Return the table as the store's JSON; the store adds the generation."""
    rows = [asdict(route) | {"labels": list(route.labels)} for route in routes]
    of_rollout = {"rollout": rollout, "stage": stage, "sticky": sticky, "sides": list(sides) if sides else None}
    return {"routes": rows, **of_rollout, "split": dict(split or {})}


def from_body(generation: int, body: Mapping[str, Any]) -> TrafficTable:
    """Read the table back from the store's JSON; fields that documents of earlier releases lack get their defaults."""
    routes = tuple(Route(**(row | {"labels": tuple(row["labels"])})) for row in body["routes"])
    of_rollout = {name: body[name] for name in ("rollout", "stage", "sticky", "split") if name in body}
    sides = body.get("sides")
    return TrafficTable(generation, routes, **of_rollout, sides=tuple(sides) if sides else None)
