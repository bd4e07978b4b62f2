"""Collects the gateways' counts into a rollout's record, and sums those of gateways that have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from serve_app.rollout.cluster.protocols import Gateways
from serve_app.rollout.policy.record import GONE, Rollout

#: A gateway counts as ended once it has been silent this long while others answer. Serve replaces a frozen one earlier.
GONE_AFTER_S: Final = 180.0
#: Seconds that a round waits for the gateways; a later round takes a late answer.
PATIENCE_S: Final = 0.5


@dataclass(eq=False)
class MetricsCollector:
    """Reads the gateways' counts; `now_s` is a steady clock."""

    gateways: Gateways
    now_s: Callable[[], float]
    _last_answer_s: dict[str, float] = field(default_factory=dict)
    _in_force: dict[str, int] = field(default_factory=dict)
    _call: asyncio.Task[list[dict[str, Any]]] | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether the gateways were called and no round has taken their answers yet."""
        return self._call is not None

    def behind(self, generation: int) -> str | None:
        """Return, as a sentence, how many gateways have an older table in force; None where none has.

        It counts those that answered last. A gateway keeps its old table while it cannot reach a version of the new
        one, even if Serve reports that version as running.
        """
        if not self.has_answers:
            return "no gateway has answered yet"
        late = len(self._in_force) - self.followers(generation)
        return f"{late} of {len(self._in_force)} gateways have not put the traffic table in force" if late else None

    @property
    def has_answers(self) -> bool:
        """Whether any gateway has answered."""
        return bool(self._in_force)

    def followers(self, generation: int) -> int:
        """Return how many of the gateways that answered last have this table, or a newer one, in force."""
        return sum(in_force >= generation for in_force in self._in_force.values())

    async def add_to(self, rollout: Rollout, *, last: bool = False) -> Rollout:
        """Return the record with the gateways' counts of its present stage; a silent gateway keeps its last counts.

        A round waits for them briefly. For the `last` counts of a stage they are asked anew and waited for.
        """
        reports = await self._reports(last=last)
        if reports is None:
            return rollout
        self._in_force = {report["gateway"]: report.get("generation", 0) for report in reports} or self._in_force
        present = [report for report in reports if (report["rollout"], report["stage"]) == (rollout.id, rollout.stage)]
        for report in present:
            rollout = rollout.with_counts(rollout.stage, report["gateway"], report["counts"])
        return rollout.without_gateways(self._ended(rollout, {report["gateway"] for report in present}))

    async def _reports(self, *, last: bool) -> list[dict[str, Any]] | None:
        if last and self._call is not None:
            await asyncio.wait({self._call})
            self._call = None
        if self._call is None:
            self._call = asyncio.ensure_future(self.gateways.observations())
        done, _ = await asyncio.wait({self._call}, timeout=None if last else PATIENCE_S)
        if not done:
            return None
        call, self._call = self._call, None
        return call.result()

    def _ended(self, rollout: Rollout, answered: set[str]) -> set[str]:
        """Return the gateways that have ended: silent for long while others answered.

        While none answers, the fault may be on this side, so none counts as ended.
        """
        now_s = self.now_s()
        counted = set(rollout.counts.get(rollout.stage, {})) - {GONE}
        self._last_answer_s = {
            name: now_s if name in answered else self._last_answer_s.get(name, now_s) for name in counted
        }
        return {name for name, at_s in self._last_answer_s.items() if answered and now_s - at_s > GONE_AFTER_S}
