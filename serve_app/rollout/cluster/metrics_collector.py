"""Brings what gateways counted into a rollout's record, and keeps that small while gateways come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from serve_app.rollout.cluster.protocols import Gateways
from serve_app.rollout.policy.record import GONE, Rollout

#: How long others have answered and a gateway has not when it is gone: longer than Serve bears one that is frozen.
GONE_AFTER_S: Final = 180.0
#: How long a round waits for the gateways; what they say later is taken by a later round.
PATIENCE_S: Final = 0.5


@dataclass(eq=False)
class MetricsCollector:
    """Asks the gateways; `now_s` is a steady clock."""

    gateways: Gateways
    now_s: Callable[[], float]
    _heard_s: dict[str, float] = field(default_factory=dict)
    _in_force: dict[str, int] = field(default_factory=dict)
    _asking: asyncio.Task[list[dict[str, Any]]] | None = None

    @property
    def is_asking(self) -> bool:
        """Whether answers are under way that no round has taken yet."""
        return self._asking is not None

    def behind(self, generation: int) -> str | None:
        """Return how many of the gateways that answered last have an older table in force; None where all follow.

        A gateway that cannot open a version keeps its old table, whatever Serve says of that version's application.
        """
        if not self.has_heard:
            return "no gateway has answered yet"
        late = len(self._in_force) - self.followers(generation)
        return f"{late} of {len(self._in_force)} gateways have not put the traffic table in force" if late else None

    @property
    def has_heard(self) -> bool:
        """Whether any gateway has answered."""
        return bool(self._in_force)

    def followers(self, generation: int) -> int:
        """Return how many of the gateways that answered last have this table in force."""
        return sum(in_force >= generation for in_force in self._in_force.values())

    async def add_to(self, rollout: Rollout, *, last: bool = False) -> Rollout:
        """Return the record with what gateways tell of its present stage; one that is silent keeps its last counts.

        They are asked and waited for a little, or, for the `last` counts of a stage, asked anew and waited for.
        """
        answers = await self._answers(last=last)
        if answers is None:
            return rollout
        self._in_force = {told["gateway"]: told.get("generation", 0) for told in answers} or self._in_force
        ours = [told for told in answers if (told["rollout"], told["stage"]) == (rollout.id, rollout.stage)]
        for told in ours:
            rollout = rollout.counted(rollout.stage, told["gateway"], told["counts"])
        return rollout.without(self._gone(rollout, {told["gateway"] for told in ours}))

    async def _answers(self, *, last: bool) -> list[dict[str, Any]] | None:
        if last and self._asking is not None:
            await asyncio.wait({self._asking})
            self._asking = None
        if self._asking is None:
            self._asking = asyncio.ensure_future(self.gateways.observations())
        done, _ = await asyncio.wait({self._asking}, timeout=None if last else PATIENCE_S)
        if not done:
            return None
        asked, self._asking = self._asking, None
        return asked.result()

    def _gone(self, rollout: Rollout, heard: set[str]) -> set[str]:
        """Return the gateways that others have outlived; while none answers, the fault may be this side's."""
        now_s = self.now_s()
        known = set(rollout.counts.get(rollout.stage, {})) - {GONE}
        self._heard_s = {name: now_s if name in heard else self._heard_s.get(name, now_s) for name in known}
        return {name for name, at_s in self._heard_s.items() if heard and now_s - at_s > GONE_AFTER_S}
