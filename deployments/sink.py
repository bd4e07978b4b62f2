"""The Sink deployment: stores answered texts. A write that is DONE reaches the text store, whatever is killed then."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from ray import serve
from ray.util.metrics import Counter, Gauge, Histogram

from deployments.logs import log_with_serve
from deployments.state_metrics import StateMetrics
from sentiment.clock import epoch_ms
from sentiment.journal import JournalOptions
from sentiment.priority import rise
from sentiment.records import Operation, Outcome
from sentiment.settings import load_settings
from sentiment.store import open_store
from sentiment.writes import adopt_orphans, open_writes
from sentiment.writes.periodic import Periodic

logger = logging.getLogger(__name__)

_METRICS_PERIOD_S: Final = 1.0
_ADOPTION_PERIOD_S: Final = 5.0
_EXPIRY_PERIOD_S: Final = 3600.0
_COMMIT_BOUNDARIES_MS: Final = [0.5, 1, 2, 5, 10, 20, 50, 100, 250, 1000]


class SinkMetrics(StateMetrics):
    """The metrics of a sink."""

    def __init__(self) -> None:
        super().__init__(
            {
                "pending": Gauge(
                    "undertone_journal_pending", "operations in the journal that the store does not have yet"
                ),
                "lag_s": Gauge("undertone_journal_lag_s", "age of the oldest of them, in seconds"),
                "journal_bytes": Gauge("undertone_journal_bytes", "bytes of the journal on disk"),
            },
            {
                "stored": Counter("undertone_stored_total", "operations that reached the store"),
                "conflicts": Counter("undertone_conflicts_total", "texts refused because their id names another text"),
                "late_conflicts": Counter(
                    "undertone_late_conflicts_total", "conflicts found after the text was acknowledged, kept in a file"
                ),
            },
        )
        self._commit_ms = Histogram(
            "undertone_journal_commit_ms", "time of one write and sync, in ms", boundaries=_COMMIT_BOUNDARIES_MS
        )

    def observe_commit(self, duration_ms: float) -> None:
        """Observe one commit of the journal."""
        self._commit_ms.observe(duration_ms)


@serve.deployment(
    name="Sink",
    max_ongoing_requests=200,
    max_queued_requests=400,
    graceful_shutdown_timeout_s=20,
    logging_config={"enable_access_log": False},  # a line a call costs more than the call
    ray_actor_options={"num_cpus": 0},
)
class Sink:
    """Writes micro-batches of operations to the journal, and from there to the text store."""

    def __init__(self) -> None:
        log_with_serve()
        settings = load_settings()
        metrics = SinkMetrics()
        options = JournalOptions(on_commit_ms=metrics.observe_commit)
        self._store = open_store(settings)
        self._writes = open_writes(settings, self._store, options)
        root = settings.journal_path
        self._periodic = [
            Periodic("sink metrics", _METRICS_PERIOD_S, lambda: metrics.publish(self._writes.state())),
            Periodic("adoption", _ADOPTION_PERIOD_S, lambda: adopt_orphans(root, self._store)),
        ]
        if settings.retention_days is not None:
            self._periodic.append(Periodic("expiry", _EXPIRY_PERIOD_S, self._expire))
        rise()

    async def write(self, operations: list[Operation]) -> list[Outcome]:
        """Return the outcome of each operation, in order; one that is DONE is safe.

        Raises:
            JournalFull: the disk is full; none of the operations is stored.
            Unavailable: the sink is closing.
        """
        return await asyncio.wrap_future(self._writes.submit(operations))

    async def state(self) -> dict[str, Any]:
        """Return how far the store is behind, and whether it answers."""
        return await asyncio.to_thread(self._writes.state)  # it may have to wait for a commit

    def check_health(self) -> None:
        """Fail if a thread of this sink has died."""
        self._writes.check()

    def _expire(self) -> None:
        deleted = self._writes.expire(epoch_ms())
        if deleted:
            logger.info("%d texts were deleted because their retention time was over", deleted)

    def __del__(self) -> None:  # Serve calls it once a replica has answered its last request
        for periodic in getattr(self, "_periodic", []):
            periodic.close()
        self._periodic = []
        if hasattr(self, "_writes"):
            self._writes.close()
        if hasattr(self, "_store"):
            self._store.close()
