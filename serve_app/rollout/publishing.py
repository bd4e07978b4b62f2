"""Writes traffic tables, and notes which of them gave the traffic to another version outright, without a rollout."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sentiment.errors import Unavailable
from sentiment.records import Document
from sentiment.registry import RegisteredVersion
from sentiment.settings import Settings
from serve_app.rollout.policy.decisions import Publish
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
        wanted: Publish,
        rollout: Rollout | None,
        table: TrafficTable | None,
        versions: Sequence[RegisteredVersion],
    ) -> Document:
        """Write the table that is wanted in place of `table`, and return it to be told to the gateways.

        A takeover is noted before they hear of it, since that takes seconds in which the controller may die.

        Raises:
            Conflict: another writer was faster.
            ModelRejected, NotFound: see `VersionRoutes.of`.
            Unavailable: the store, or the registry, is away, and nothing is written.
        """
        shared = [
            replace(self.routes.of(share.version, table, versions), weight=share.weight, shadow=share.shadow)
            for share in wanted.shares
        ]
        at_ms = self.now_ms()
        document = self.rollout_store.publish(shared, wanted, rollout)
        if rollout is None:
            self._note(leader_of(shares_in(table)), leader_of(wanted.shares), at_ms)
        return document

    def _note(self, led: int | None, leads: int | None, at_ms: int) -> None:
        """Put a takeover into the history; the table is in force, so that a store that is away now stops nothing."""
        if led is None or leads is None or led == leads:
            return
        try:
            self.rollout_store.note_outright(self.settings, led, leads, at_ms)
        except Unavailable as exc:
            at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
            logger.error("the takeover by version %d at %s is not in the history: %s", leads, at, exc)
