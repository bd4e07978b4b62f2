"""Writes traffic tables, and records takeovers without a rollout in the history."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sentiment.errors import Unavailable
from sentiment.records import Document
from sentiment.registry import RegisteredVersion
from sentiment.settings import Settings
from serve_app.rollout.policy.decisions import PublishTable
from serve_app.rollout.policy.record import Rollout
from serve_app.rollout.policy.shares import leader_of
from serve_app.rollout.rollout_store import RolloutStore, shares_in
from serve_app.rollout.version_routes import VersionRoutes
from serve_app.routing.traffic_table import TrafficTable

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class TablePublisher:
    """Publishes the tables of one registered model; `now_ms` is the time of day. Its methods block."""

    settings: Settings
    rollout_store: RolloutStore
    routes: VersionRoutes
    now_ms: Callable[[], int]

    def publish(
        self,
        decision: PublishTable,
        rollout: Rollout | None,
        table: TrafficTable | None,
        versions: Sequence[RegisteredVersion],
    ) -> Document:
        """Write the decided table in place of `table`, and return its document, to be pushed to the gateways.

        A takeover is recorded before the push, which takes seconds in which the controller may die.

        Raises:
            Conflict: another writer was faster.
            ModelRejected, NotFound: see `VersionRoutes.of`.
            Unavailable: the store, or the registry, is away, and nothing is written.
        """
        shared = [
            replace(self.routes.of(share.version, table, versions), weight=share.weight, shadow=share.shadow)
            for share in decision.shares
        ]
        at_ms = self.now_ms()
        document = self.rollout_store.publish(shared, decision, rollout)
        if rollout is None:
            self._record_takeover(leader_of(shares_in(table)), leader_of(decision.shares), at_ms)
        return document

    def _record_takeover(self, before: int | None, after: int | None, at_ms: int) -> None:
        """Write a takeover into the history. The table is in force by now, so that a failure here stops nothing."""
        if before is None or after is None or before == after:
            return
        try:
            self.rollout_store.record_takeover(self.settings, before, after, at_ms)
        except Unavailable as exc:
            at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
            logger.error("the takeover by version %d at %s could not be written to the history: %s", after, at, exc)
