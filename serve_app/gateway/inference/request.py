"""A text on its way through a gateway: as it was submitted, and as a version is asked about it."""

from __future__ import annotations

from dataclasses import dataclass

from sentiment.records import CleanText, RawText
from serve_app.gateway.inference.failover import Question
from serve_app.routing.traffic_table import Route, TrafficTable


@dataclass(frozen=True, slots=True)
class Submitted:
    """A text, and the route that shall answer it; one that its caller pinned answers or nobody does.

    `by_chance`: neither a pin nor the fixed split chooses the route. `undrawn`: it is drawn when the text's micro-batch
    is sent. `refused`: the route's queue had no room. Times of `perf_counter`: `arrived` at the gateway, `handed` over
    to the route.
    """

    raw: RawText
    arrived: float
    handed: float
    route: Route
    pinned: bool
    by_chance: bool
    bulk: bool
    undrawn: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A submitted text, what the Preprocessor made of it, and the question to the version that is asked."""

    item: Submitted
    clean: CleanText
    question: Question

    def passed_over(self, table: TrafficTable) -> bool:
        """Whether the chosen route, which still gets texts, was not asked: it had no room or came too late."""
        route = table.of_version(self.item.route.version)
        return route is not None and route.version != self.question.route.version and gets_texts(table, route)


def gets_texts(table: TrafficTable, route: Route) -> bool:
    """Whether texts are given to a route without their callers' asking for it."""
    return route.weight > 0 or route.version in table.split.values()
