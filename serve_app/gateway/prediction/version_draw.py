"""Draws versions by the traffic's weights when a micro-batch is sent, for texts that nothing else decides for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from serve_app.gateway.inference.request import SubmittedText
from serve_app.routing.traffic_table import Route, TrafficTable


class HasRoom(Protocol):
    """Whether the candidates' queue has room."""

    def __call__(self, texts: int, /, *, bulk: bool) -> bool:
        """Return whether it has room for so many single texts, or bulk ones."""


@dataclass(frozen=True)
class VersionDraw:
    """Draws versions for the texts of a micro-batch."""

    table: Callable[[], TrafficTable]
    random: Callable[[], float]
    """Returns a random point of [0, 1)."""
    has_room: HasRoom
    drawn_together: int
    """Most texts that get one draw, so that a small micro-batch is not split between versions."""

    def now(self, table: TrafficTable) -> Route:
        """Draw a version for one text."""
        return table.choose(self.random())

    def claim(self, submitted: list[SubmittedText]) -> list[tuple[SubmittedText, bool]]:
        """Draw the routes of a micro-batch's texts that have none; return each text and whether a candidate gets it."""
        table, now_s = self.table(), time.perf_counter()
        claims, draws, route = list[tuple[SubmittedText, bool]](), 0, table.trusted
        claim_counts: Counter[bool] = Counter()  # of single texts (False) and bulk ones (True)
        for text in submitted:
            if not text.undrawn:
                claims.append((text, False))
                continue
            if draws % self.drawn_together == 0:
                route = self.now(table)
            draws += 1
            is_candidate = route is not table.trusted
            refused = is_candidate and not self.has_room(claim_counts[text.bulk] + 1, bulk=text.bulk)
            claim_counts[text.bulk] += is_candidate and not refused
            routed = replace(text, route=route, handed=now_s, undrawn=False, refused=refused)
            claims.append((routed, is_candidate and not refused))
        return claims
