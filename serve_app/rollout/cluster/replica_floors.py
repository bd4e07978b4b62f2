"""The least number of replicas of each version: during a rollout, as many as the champion answers the traffic with.

Serve removes replicas of a version that has had little to do for ten minutes. During a rollout either version may get
all the traffic, at the next step or by a rollback, so both keep the champion's number of replicas until it ends.
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
    """Return the least number of replicas of each version that runs and scales. Pure.

    While no rollout is under way it is the one of the version's own capacity.
    """
    scaling = {
        version: own
        for version, view in apps.items()
        if view.state is AppState.RUNNING and (own := capacity.of(version)).max_replicas is not None
    }
    is_on = rollout is not None and rollout.state is not State.WAITING
    sides = (rollout.champion, rollout.challenger) if rollout and is_on else ()
    champions = apps[sides[0]].replicas if sides and sides[0] in apps else 0
    return {v: (own.prewarmed(champions).first_replicas if v in sides else own.replicas) for v, own in scaling.items()}


@dataclass(eq=False)
class ReplicaFloors:
    """Applies the floors, and sends the target only changes. A new controller sends all of them once more."""

    target: Target
    _applied: dict[int, int] = field(default_factory=dict)

    def apply(self, rollout: Rollout | None, apps: Mapping[int, AppView], capacity: Capacity) -> None:
        """Bring the floors into force. During a rollout none sinks, even if a replica of the champion dies."""
        self._applied = {version: floor for version, floor in self._applied.items() if version in apps}
        for version, floor in floors_of(rollout, apps, capacity).items():
            least = floor if rollout is None else max(floor, self._applied.get(version, 0))
            if self._applied.get(version) == least:
                continue
            try:
                self.target.keep_replicas(version, least)
                self._applied[version] = least
            except Exception as exc:  # noqa: BLE001 - the rollout goes on without; the next round tries again
                logger.warning("version %d could not be made to keep %d replicas: %s", version, least, exc)
