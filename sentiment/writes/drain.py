"""Moves a journal into the store step by step: read, apply in bulk, release."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sentiment.errors import InvalidInput, StoreUnavailable
from sentiment.journal import Journal
from sentiment.records import DeleteText, Operation, Outcome, PutText
from sentiment.store.base import TextStore
from sentiment.writes.rejected_log import Refusal, RefusedFile

logger = logging.getLogger(__name__)

MAX_OPERATIONS: Final = 1000


@dataclass(frozen=True, slots=True)
class DrainStep:
    """What one step did: the number of its operations, and whether they deleted texts."""

    operations: int
    deleted: bool


class Drain:
    """Moves a journal's operations into the store, in order; not safe for many threads."""

    def __init__(self, journal: Journal, store: TextStore) -> None:
        self._journal = journal
        self._store = store
        self._refused = RefusedFile(journal.path)
        self.position = journal.start
        self.stored = 0
        self.late_conflicts = 0
        self.refused = 0

    def step(self) -> DrainStep:
        """Apply about MAX_OPERATIONS to the store.

        Raises:
            StoreUnavailable: nothing is released; the next step applies the same operations again.
            OSError: the journal's disk cannot be read or written; likewise.
        """
        chunk = self._journal.read(self.position, MAX_OPERATIONS)
        refusals = self._apply(chunk.operations)
        self._refused.keep(refusals)
        deleted = {operation.id for operation in chunk.operations if isinstance(operation, DeleteText)}
        if deleted:
            self._refused.forget(deleted)
        self._count(len(chunk.operations), refusals)
        if chunk.end != self.position:
            self._journal.release(chunk.end, len(chunk.operations))
            self.position = chunk.end
        return DrainStep(len(chunk.operations), bool(deleted))

    def run(self) -> None:
        """Step until the journal is drained; raises what `step` raises."""
        while self.step().operations:
            pass

    def forget_expired(self, now_ms: int) -> None:
        """Delete refused operations whose texts have expired."""
        self._refused.forget_expired(now_ms)

    def _apply(self, operations: Sequence[Operation]) -> list[Refusal]:
        refusals: list[Refusal] = []
        for start in range(0, len(operations), MAX_OPERATIONS):
            refusals += self._apply_slice(operations[start : start + MAX_OPERATIONS])
        return refusals

    def _apply_slice(self, operations: Sequence[Operation]) -> list[Refusal]:
        try:
            return _late_conflicts(operations, self._store.apply(operations))
        except StoreUnavailable:
            raise
        except Exception as exc:  # noqa: BLE001 - no operation may hold up those after it
            logger.warning("the store refused a bulk write (%s); its operations go one by one", type(exc).__name__)
            return self._apply_each(operations)

    def _apply_each(self, operations: Sequence[Operation]) -> list[Refusal]:
        """Apply operations one by one, so that one that the store refuses does not stop the others."""
        refusals: list[Refusal] = []
        unexpected: Exception | None = None
        for operation in operations:
            try:
                refusals += _late_conflicts([operation], self._store.apply([operation]))
            except StoreUnavailable:
                raise
            except Exception as exc:  # noqa: BLE001 - as above
                unexpected = unexpected if isinstance(exc, InvalidInput) else exc
                refusals.append(Refusal(operation, type(exc).__name__))
        if unexpected is not None and len(refusals) == len(operations):
            raise StoreUnavailable(f"the store fails ({type(unexpected).__name__})") from unexpected
        return refusals

    def _count(self, operations: int, refusals: Sequence[Refusal]) -> None:
        conflicts = sum(refusal.reason == Outcome.CONFLICT for refusal in refusals)
        self.stored += operations - len(refusals)
        self.late_conflicts += conflicts
        self.refused += len(refusals) - conflicts
        for refusal in refusals:
            logger.warning("an acknowledged operation was refused by the store: %s", refusal.reason)


def _late_conflicts(operations: Sequence[Operation], outcomes: Sequence[Outcome]) -> list[Refusal]:
    """Return texts whose id already names another text; a deletion's conflict is harmless, since a later text stays."""
    return [
        Refusal(operation, Outcome.CONFLICT)
        for operation, outcome in zip(operations, outcomes, strict=True)
        if outcome is Outcome.CONFLICT and isinstance(operation, PutText)
    ]
