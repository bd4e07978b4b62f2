"""How many replicas each version keeps at least: while a rollout runs, as many as carry all the traffic.

Serve takes replicas away from a version that has had little to do for ten minutes. During a rollout either version may
get all the traffic at the next step, or on the way back: both keep what the champion carries it with, until it ends.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from serve_app.rollout.cluster.placement import Capacity
from serve_app.rollout.cluster.protocols import AppView, Target
from serve_app.rollout.policy.decisions import AppState
from serve_app.rollout.policy.record import Rollout, State

logger = logging.getLogger(__name__)


def floors_of(rollout: Rollout | None, apps: Mapping[int, AppView], capacity: Capacity) -> dict[int, int]:
    """Return the least number of replicas of each version that runs and scales; pure.

    Where nothing is rolled out it is the version's own.
    """
    scaling = {
        version: own
        for version, view in apps.items()
        if view.state is AppState.RUNNING and (own := capacity.of(version)).max_replicas is not None
    }
    is_on = rollout is not None and rollout.state is not State.WAITING
    sides = (rollout.champion, rollout.challenger) if rollout and is_on else ()
    carried = apps[sides[0]].replicas if sides and sides[0] in apps else 0
    return {v: (own.prewarmed(carried).first_replicas if v in sides else own.replicas) for v, own in scaling.items()}


@dataclass(eq=False)
class ReplicaFloors:
    """Makes it so, and tells the target only what changes. A controller that was killed tells it all once more."""

    target: Target
    _kept: dict[int, int] = field(default_factory=dict)

    def keep(self, rollout: Rollout | None, apps: Mapping[int, AppView], capacity: Capacity) -> None:
        """Bring the floors into force; while a rollout runs none sinks, whatever becomes of a replica meanwhile."""
        self._kept = {version: kept for version, kept in self._kept.items() if version in apps}
        for version, floor in floors_of(rollout, apps, capacity).items():
            least = floor if rollout is None else max(floor, self._kept.get(version, 0))
            if self._kept.get(version) == least:
                continue
            try:
                self.target.keep_replicas(version, least)
                self._kept[version] = least
            except Exception as exc:  # noqa: BLE001 - the rollout goes on without; the next round tries again
                logger.warning("version %d could not be told to keep %d replicas: %s", version, least, exc)
