"""Write-through: operations are acknowledged when the store itself has them, without a journal."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from sentiment.errors import InvalidInput, StoreUnavailable, Unavailable
from sentiment.journal.group_commit import GroupCommit, Waiting
from sentiment.records import Operation, Outcome, PutText
from sentiment.store.base import TextStore

logger = logging.getLogger(__name__)


class WriteThrough:
    """Applies operations to the store and returns its outcomes; operations that come together share one call."""

    def __init__(self, store: TextStore) -> None:
        self._store = store
        self._reachable = True
        self._stored = 0
        self._conflicts = 0
        self._calls: GroupCommit[Sequence[Operation], list[Outcome]] = GroupCommit("sink", self._apply)

    def submit(self, operations: Sequence[Operation]) -> Future[list[Outcome]]:
        """Submit operations; the future has their outcomes, all UNAVAILABLE if the store does not answer.

        Raises:
            Unavailable: after `close`.
        """
        return self._calls.submit(operations)

    def write(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Submit operations and wait; see `submit`."""
        return self.submit(operations).result()

    def state(self) -> dict[str, Any]:
        """Return counts, with the keys that `WriteBehind.state` has."""
        return {
            "durability": "store",
            "store_reachable": self._reachable,
            "pending": 0,
            "lag_s": 0.0,
            "journal_bytes": 0,
            "corrupt_files": 0,
            "stored": self._stored,
            "conflicts": self._conflicts,
            "late_conflicts": 0,
            "refused": 0,
        }

    def expire(self, now_ms: int) -> int:
        """Delete expired texts; return how many.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        return self._store.delete_expired(now_ms)

    def check(self) -> None:
        """Check that the thread works.

        Raises:
            Unavailable: it died; only a restart helps.
        """
        if not self._calls.alive:
            raise Unavailable("the sink's thread has stopped; start it again")

    def close(self) -> None:
        """Finish submitted operations; each call is bounded by the store's own time limit."""
        self._calls.close()

    def _apply(self, group: list[Waiting[Sequence[Operation], list[Outcome]]]) -> None:
        try:
            outcomes = iter(self._outcomes([operation for waiting in group for operation in waiting.item]))
        except InvalidInput:
            self._apply_apart(group)
            return
        for waiting in group:
            waiting.future.set_result([next(outcomes) for _ in waiting.item])

    def _apply_apart(self, group: list[Waiting[Sequence[Operation], list[Outcome]]]) -> None:
        """Apply each caller's operations separately, so that a wrong value fails its own caller only."""
        for waiting in group:
            try:
                waiting.future.set_result(self._outcomes(waiting.item))
            except InvalidInput as exc:
                waiting.future.set_exception(exc)

    def _outcomes(self, operations: Sequence[Operation]) -> list[Outcome]:
        try:
            outcomes = self._store.apply(operations)
        except StoreUnavailable as exc:
            if self._reachable:
                logger.warning("the text store does not answer: %s", exc)
            self._reachable = False
            return [Outcome.UNAVAILABLE] * len(operations)
        self._reachable = True
        self._stored += outcomes.count(Outcome.DONE)
        self._conflicts += sum(
            isinstance(operation, PutText) and outcome is Outcome.CONFLICT
            for operation, outcome in zip(operations, outcomes, strict=True)
        )
        return outcomes
