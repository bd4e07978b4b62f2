"""The controller's documents in the text store: the rollout's record, the traffic table, and the lease.

Every write is a compare-and-set on the generation that was read in the same round: a controller that was suspended and
lost its lease meanwhile writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sentiment.errors import Conflict
from sentiment.records import Document
from sentiment.settings import Settings
from sentiment.store import TextStore
from serve_app.rollout.api_view import to_public
from serve_app.rollout.policy.decisions import PublishTable
from serve_app.rollout.policy.record import HISTORY_KIND, KIND, Rollout, StartRequest
from serve_app.rollout.policy.shares import Share
from serve_app.routing.model_list import SPLIT_KIND
from serve_app.routing.traffic_table import KIND as TRAFFIC
from serve_app.routing.traffic_table import Route, Sticky, TrafficTable, from_body, to_body

LEASE_KIND: Final = "lease"
#: How long a lease is valid: another controller takes over at most this long after the last one died.
LEASE_MS: Final = 6000


@dataclass(eq=False)
class RolloutStore:
    """The documents of one registered model. All methods block.

    Methods that write raise Conflict where another writer was faster: read again, then decide again.
    """

    store: TextStore
    model: str
    holder: str
    """Name of this controller, for the lease."""

    def __post_init__(self) -> None:
        self._table: Document | None = None
        self._record: Document | None = None

    def read(self) -> tuple[TrafficTable | None, Rollout | None]:
        """Return the traffic table in force and the rollout's record; later writes are compared with these."""
        self._table = self.store.get_document(TRAFFIC, self.model)
        self._record = self.store.get_document(KIND, self.model)
        table = from_body(self._table.generation, self._table.body) if self._table else None
        return table, Rollout.from_body(self._record.body) if self._record else None

    def is_out_of_date(self) -> bool:
        """Return whether somebody has written the rollout's record since it was read."""
        return _generation(self.store.get_document(KIND, self.model)) != _generation(self._record)

    def read_split(self) -> dict[str, int]:
        """Return the fixed split that was asked for: versions by a header's value or a key's id."""
        document = self.store.get_document(SPLIT_KIND, self.model)
        return {str(value): int(version) for value, version in document.body["versions"].items()} if document else {}

    def publish(self, routes: Sequence[Route], decision: PublishTable, rollout: Rollout | None) -> Document:
        """Write the decided traffic table; `rollout` is the one under way, if any."""
        served = rollout if decision.rollout else None
        sticky: Sticky = served.sticky if served else "none"
        sides = (served.champion, served.challenger) if served else None
        body = to_body(
            tuple(routes),
            rollout=decision.rollout,
            stage=decision.stage,
            sticky=sticky,
            split=decision.split,
            sides=sides,
        )
        self._table = self.store.put_document(TRAFFIC, self.model, body, _generation(self._table))
        return self._table

    def save(self, rollout: Rollout, now_ms: int) -> None:
        """Write the record. A rollout that has ended is written to the history first, so that it is never lost."""
        if rollout.ended:
            self.store.put_document(HISTORY_KIND, rollout.id, to_public(rollout, now_ms))
        self._record = self.store.put_document(KIND, self.model, rollout.to_body(), _generation(self._record))

    def begin(self, settings: Settings, champion: int, challenger: int, now_ms: int) -> Rollout:
        """Start the automatic rollout of a version that has the alias `challenger`."""
        request = StartRequest(version=challenger, auto=True)
        rollout = Rollout.begin(request, settings, champion, now_ms, "it has the alias challenger")
        self.save(rollout, now_ms)
        return rollout

    def record_takeover(self, settings: Settings, champion: int, successor: int, now_ms: int) -> None:
        """Write into the history that the alias `champion`, and all the traffic, moved without a rollout."""
        rollout = Rollout.takeover(settings, champion, successor, now_ms)
        self.store.put_document(HISTORY_KIND, rollout.id, to_public(rollout, now_ms))

    def take_lease(self, now_ms: int) -> int | None:
        """Take or renew the lease; return when it ends (epoch ms), None while another controller holds it."""
        present = self.store.get_document(LEASE_KIND, self.model)
        if present is not None and not _is_free(present.body, self.holder, now_ms):
            return None
        ends_ms = now_ms + LEASE_MS
        try:
            self._write_lease(ends_ms, _generation(present))
        except Conflict:  # taken at the same moment
            return None
        return ends_ms

    def give_lease_back(self) -> None:
        """End the lease now, so that another controller may act at once; does nothing without a lease."""
        present = self.store.get_document(LEASE_KIND, self.model)
        if present is not None and present.body["holder"] == self.holder:
            self._write_lease(0, present.generation)

    def _write_lease(self, ends_ms: int, generation: int) -> None:
        self.store.put_document(LEASE_KIND, self.model, {"holder": self.holder, "ends_ms": ends_ms}, generation)


def shares_in(table: TrafficTable | None) -> tuple[Share, ...]:
    """Return the shares that a table gives."""
    return tuple(Share(route.version, route.weight, route.shadow) for route in table.routes) if table else ()


def _is_free(lease: Mapping[str, Any], holder: str, now_ms: int) -> bool:
    return bool(lease["holder"] == holder or lease["ends_ms"] <= now_ms)


def _generation(document: Document | None) -> int:
    return document.generation if document else 0
