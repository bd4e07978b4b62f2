"""The traffic table: which model versions answer, with which share. A row in the text store, pushed and polled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

KIND: Final = "traffic"

#: What keeps a client on one side of a rollout: nothing, the text's author, or the API key.
Sticky = Literal["none", "author", "key"]


@dataclass(frozen=True, slots=True)
class Route:
    """One version that is loaded, and the share of the traffic that it gets (`weight`, 0 to 1).

    `shadow` is the share of the live texts that it is asked about as well, without being heard.
    """

    model: str
    version: int
    app: str
    digest: str
    labels: tuple[str, ...]
    normalizer: str
    weight: float
    shadow: float = 0.0


@dataclass(frozen=True, slots=True)
class TrafficTable:
    """The versions of one registered model that are loaded; `generation` grows with every change.

    While a rollout is under way (`rollout` is its id, `stage` its number) `sides` are the versions of champion and
    challenger, whose routes come first and in this order, if they are loaded. As long as it stays and the challenger's
    weight only grows, a client that is kept on a side (`sticky`) goes over to the challenger once and stays there.
    `split` gives a value of the header X-Undertone-Split, or the id of an API key, a version of its own.
    """

    generation: int
    routes: tuple[Route, ...]
    rollout: str | None = None
    stage: int = 0
    sticky: Sticky = "none"
    split: Mapping[str, int] = field(default_factory=dict)
    sides: tuple[int, int] | None = None

    @property
    def leader(self) -> Route:
        """The route with the greatest weight, the first of several."""
        return max(self.routes, key=lambda route: route.weight)

    @property
    def champion(self) -> Route | None:
        """The champion's route while a rollout is under way and it is loaded."""
        return self.of_version(self.sides[0]) if self.sides else None

    @property
    def trusted(self) -> Route:
        """The route that answers where another cannot: the champion's while it has traffic, else the leading one."""
        champion = self.champion
        return champion if champion is not None and champion.weight > 0 else self.leader

    @property
    def stand_in(self) -> Route | None:
        """The route that answers where the trusted one cannot: that of a champion which lost its traffic just now."""
        champion = self.champion
        return None if champion is None or champion is self.trusted else champion

    @property
    def succeeded(self) -> int | None:
        """The version of the champion whose traffic the challenger has, all of it; None where it has not."""
        return self.sides[0] if self.sides and self.trusted.version == self.sides[1] else None

    @property
    def normalizer(self) -> str:
        """The normaliser of the version with the greatest weight: the one that the traffic is cleaned with."""
        return self.leader.normalizer

    @property
    def rivals(self) -> tuple[Route, Route] | None:
        """The champion's and the challenger's route while a rollout is under way and both are loaded."""
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
    under_way = {"rollout": rollout, "stage": stage, "sticky": sticky, "sides": list(sides) if sides else None}
    return {"routes": rows, **under_way, "split": dict(split or {})}


def from_body(generation: int, body: Mapping[str, Any]) -> TrafficTable:
    """Read the table back from the store's JSON; what rows of earlier releases lack has its default."""
    routes = tuple(Route(**(row | {"labels": tuple(row["labels"])})) for row in body["routes"])
    extra = {name: body[name] for name in ("rollout", "stage", "sticky", "split") if name in body}
    sides = body.get("sides")
    return TrafficTable(generation, routes, **extra, sides=tuple(sides) if sides else None)
