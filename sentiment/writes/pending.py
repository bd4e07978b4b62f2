"""An index of the ids whose operations are on their way to the store; bounded, and without their texts."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sentiment.journal import Position
from sentiment.records import AddFeedback, Operation, PutText, SetLabel
from sentiment.writes.admission import KnownKeys

MAX_IDS: Final = 100_000
_NEVER: Final = Position(2**63, 0)


@dataclass(slots=True, eq=False)
class Reservation:
    """The ids of one append with the text key that each will have (None: no text), and the end of the append."""

    keys: dict[str, str | None]
    indexed: bool
    end: Position = _NEVER


class Pending:
    """A thread-safe index of the ids between acknowledgement and store.

    Ids beyond `max_ids`, and those of a backlog before `unseen_until`, are not indexed; `blind` says so.
    """

    def __init__(self, drained: Position, unseen_until: Position, max_ids: int = MAX_IDS) -> None:
        self._drained = drained
        self._unseen_until = unseen_until
        self._max_ids = max_ids
        self._order: deque[Reservation] = deque()
        self._of_id: dict[str, list[Reservation]] = {}
        self._unsettled = 0
        self._lock = threading.Lock()

    @property
    def blind(self) -> bool:
        """Whether some ids on their way are not indexed, so that an unknown id may exist."""
        with self._lock:
            return self._unsettled > 0 or self._drained < self._unseen_until

    def known(self, ids: set[str]) -> KnownKeys:
        """Return the future text keys of those ids that are on their way."""
        with self._lock:
            return {id_: self._of_id[id_][-1].keys[id_] for id_ in ids if id_ in self._of_id}

    def reserve(self, operations: Sequence[Operation]) -> Reservation:
        """Record operations that are about to be appended; to be called in the order of the appends."""
        moving = [operation for operation in operations if not isinstance(operation, SetLabel | AddFeedback)]
        keys = dict(map(_key_of, moving))
        with self._lock:
            reservation = Reservation(keys, indexed=len(self._of_id) + len(keys) <= self._max_ids)
            if reservation.indexed:
                self._order.append(reservation)
                for id_ in keys:
                    self._of_id.setdefault(id_, []).append(reservation)
            else:
                self._unsettled += 1
        return reservation

    def settle(self, reservation: Reservation, end: Position) -> None:
        """Record that the operations are on disk, up to `end`."""
        with self._lock:
            reservation.end = end
            if not reservation.indexed:
                self._unsettled -= 1
                self._unseen_until = max(self._unseen_until, end)

    def cancel(self, reservation: Reservation) -> None:
        """Record that the operations could not be written."""
        with self._lock:
            if reservation.indexed:
                self._order.remove(reservation)
                self._forget(reservation)
            else:
                self._unsettled -= 1

    def drained(self, upto: Position) -> None:
        """Record that the store has everything before `upto`."""
        with self._lock:
            self._drained = upto
            while self._order and self._order[0].end <= upto:
                self._forget(self._order.popleft())

    def _forget(self, reservation: Reservation) -> None:
        for id_ in reservation.keys:
            holders = self._of_id[id_]
            holders.remove(reservation)
            if not holders:
                del self._of_id[id_]


def _key_of(operation: Operation) -> tuple[str, str | None]:
    if isinstance(operation, PutText):
        return operation.record.id, operation.record.text_key
    return operation.id, None
