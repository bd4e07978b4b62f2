"""Write-behind: operations are acknowledged once the journal has them, and reach the store a moment later.

A store that is away costs disk and nothing else: what comes meanwhile waits in the journal.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

from sentiment.errors import StoreUnavailable, Unavailable
from sentiment.journal import Journal, Position
from sentiment.journal.group_commit import GroupCommit, Waiting, running_future
from sentiment.records import Operation, Outcome
from sentiment.store.base import TextStore
from sentiment.store.state import id_of
from sentiment.writes.admission import KnownKeys, is_certain, is_journaled, promised_outcomes
from sentiment.writes.drain import MAX_OPERATIONS, Drain
from sentiment.writes.pending import Pending, Reservation

logger = logging.getLogger(__name__)

PACE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 2.0
_QUIET_S: Final = 1.0
_REPLAY_S: Final = 30.0
_TURN_S: Final = 2.0


class WriteBehind:
    """Takes operations into the journal and drains it into the store. Safe for many threads.

    The journal is this object's own from now on, the store its caller's. `start` replays and starts the draining.
    """

    def __init__(self, journal: Journal, store: TextStore, jitter: Callable[[], float] = random.random) -> None:
        self._journal = journal
        self._store = store
        self._jitter = jitter
        self._drain = Drain(journal, store)
        self._pending = Pending(journal.start, unseen_until=journal.end if journal.size_bytes else journal.start)
        self._order = threading.Lock()
        self._reachable = True
        self._failures = 0
        self._refused_conflicts = 0
        self._stopping = threading.Event()
        self._checks: GroupCommit[Sequence[Operation], list[Outcome]] = GroupCommit("sink", self._check)
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)

    def start(self) -> None:
        """Replay what an earlier owner left, for a while and if the store is there, then drain in the background."""
        self.tick(time.monotonic() + _REPLAY_S)
        self._thread.start()

    def submit(self, operations: Sequence[Operation]) -> Future[list[Outcome]]:
        """Take operations; the future gives their outcomes in order, DONE ones being safe.

        The future raises JournalFull when the disk did not take them; none of them was promised then.

        Raises:
            Unavailable: after `close`.
        """
        if not all(map(is_certain, operations)):
            return self._checks.submit(operations)
        result = running_future()
        self._append(operations, [Outcome.DONE] * len(operations), result)
        return result

    def write(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Take operations and wait; see `submit`."""
        return self.submit(operations).result()

    def state(self) -> dict[str, Any]:
        """Return how far the store is behind: counts, `lag_s` of the oldest waiting operation, bytes on disk."""
        return {
            "durability": "journal",
            "store_reachable": self._reachable,
            "pending": self._journal.pending_operations,
            "lag_s": self._journal.age_s(),
            "journal_bytes": self._journal.size_bytes,
            "corrupt_files": self._journal.corrupt_files,
            "stored": self._drain.stored,
            "conflicts": self._refused_conflicts,
            "late_conflicts": self._drain.late_conflicts,
            "refused": self._drain.refused,
        }

    def expire(self, now_ms: int) -> int:
        """Delete the texts whose time is over, those that the store refused too; return how many the store had.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        self._drain.forget_expired(now_ms)
        return self._store.delete_expired(now_ms)

    def check(self) -> None:
        """Return when all threads work.

        Raises:
            Unavailable: one died; only a new start helps.
        """
        if not (self._thread.is_alive() and self._checks.alive and self._journal.alive):
            raise Unavailable("the sink's threads have stopped; start it again")

    def tick(self, until_s: float = math.inf) -> float:
        """Bring what waits into the store, until `time.monotonic()` is `until_s` at most; return the next pause."""
        try:
            self._drain_all(until_s)
        except (StoreUnavailable, OSError) as exc:
            self._note_failure(exc)
            pause = min(_LONGEST_PAUSE_S, PACE_S * 2.0 ** min(self._failures, 10))
            return pause * (0.5 + 0.5 * self._jitter())
        self._reachable, self._failures = True, 0
        return PACE_S

    def close(self, drain_s: float = 5.0) -> None:
        """Finish what was taken, drain for at most about `drain_s` if the store is there, and give up the journal."""
        self._checks.close()
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        give_up = time.monotonic() + drain_s
        while self._reachable and self._journal.pending_operations and time.monotonic() < give_up:
            self.tick(give_up)
        self._journal.close()

    def _check(self, group: list[Waiting[Sequence[Operation], list[Outcome]]]) -> None:
        """Judge batches one after the other by what is on its way and in the store; one query for all of them."""
        keys = self._look_up({id_of(operation) for waiting in group for operation in waiting.item})
        for waiting in group:
            outcomes = promised_outcomes(waiting.item, keys)
            self._refused_conflicts += outcomes.count(Outcome.CONFLICT)
            self._append(waiting.item, outcomes, waiting.future)

    def _look_up(self, ids: set[str]) -> KnownKeys:
        blind = self._pending.blind  # before the look at the store: what leaves the index meanwhile is in the store
        keys = self._pending.known(ids)
        missing = [id_ for id_ in ids if id_ not in keys]
        if not missing or not self._reachable:
            return keys
        try:
            stored = self._store.get_many(missing)
        except StoreUnavailable as exc:
            self._note_failure(exc)
            return keys
        keys |= {id_: record.text_key for id_, record in stored.items()}
        return keys if blind else dict.fromkeys(missing) | keys

    def _append(self, operations: Sequence[Operation], outcomes: list[Outcome], result: Future[list[Outcome]]) -> None:
        pairs = zip(operations, outcomes, strict=True)
        journaled = [operation for operation, outcome in pairs if is_journaled(operation, outcome)]
        if not journaled:
            result.set_result(outcomes)
            return
        with self._order:  # the index and the journal see appends in the same order
            reservation = self._pending.reserve(journaled)
            try:
                appended = self._journal.append(journaled)
            except (Unavailable, ArithmeticError, TypeError, ValueError) as exc:  # closing, or not fit to be written
                self._pending.cancel(reservation)
                result.set_exception(exc)
                return
        appended.add_done_callback(partial(self._finish, reservation, outcomes, result))

    def _finish(
        self,
        reservation: Reservation,
        outcomes: list[Outcome],
        result: Future[list[Outcome]],
        appended: Future[Position],
    ) -> None:
        error = appended.exception()
        if error is None:
            self._pending.settle(reservation, appended.result())
            result.set_result(outcomes)
        else:
            self._pending.cancel(reservation)
            result.set_exception(error)

    def _run(self) -> None:
        pause = PACE_S
        while not self._stopping.wait(pause):
            pause = self.tick(time.monotonic() + _TURN_S)

    def _drain_all(self, until_s: float) -> None:
        if not self._reachable:
            self._store.ping()
        more = True
        while more:
            step = self._drain.step()
            self._pending.drained(self._drain.position)
            if step.deleted or self._journal.quiet_s > _QUIET_S:
                self._journal.rotate()  # so that no file keeps a text that is deleted, or that is in the store for long
            more = (step.operations >= MAX_OPERATIONS or step.deleted) and time.monotonic() < until_s

    def _note_failure(self, exc: Exception) -> None:
        if self._reachable:
            logger.warning("the text store is away, the journal keeps what comes: %s", exc)
        self._reachable = False
        self._failures += 1
