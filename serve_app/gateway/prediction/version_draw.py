"""Draws versions by the traffic's weights, for texts for which nothing else decides, when their micro-batch is sent."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from serve_app.gateway.inference.request import SubmittedText
from serve_app.routing.traffic_table import Route, TrafficTable


class HasRoom(Protocol):
    """Whether the queue of the versions on trial has room for so many texts."""

    def __call__(self, texts: int, /, *, bulk: bool) -> bool:
        """Return it for single texts, or for bulk ones."""


@dataclass(frozen=True)
class VersionDraw:
    """Draws one version for up to `drawn_together` texts: small micro-batches go to one version as they are."""

    table: Callable[[], TrafficTable]
    #: A point of [0, 1), drawn by chance.
    random: Callable[[], float]
    has_room: HasRoom
    drawn_together: int

    def now(self, table: TrafficTable) -> Route:
        """Draw a version for one text."""
        return table.choose(self.random())

    def claim(self, submitted: list[SubmittedText]) -> list[tuple[SubmittedText, bool]]:
        """Draw the routes that a micro-batch's texts have not yet; say of each whether a version on trial gets it."""
        table, now_s = self.table(), time.perf_counter()
        claimed, drawn, route = list[tuple[SubmittedText, bool]](), 0, table.trusted
        given: Counter[bool] = Counter()  # to versions on trial, single texts and bulk ones
        for text in submitted:
            if not text.undrawn:
                claimed.append((text, False))
                continue
            if drawn % self.drawn_together == 0:
                route = self.now(table)
            drawn += 1
            on_trial = route is not table.trusted
            refused = on_trial and not self.has_room(given[text.bulk] + 1, bulk=text.bulk)
            given[text.bulk] += on_trial and not refused
            decided = replace(text, route=route, handed=now_s, undrawn=False, refused=refused)
            claimed.append((decided, on_trial and not refused))
        return claimed
