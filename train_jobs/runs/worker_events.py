"""Events of a run's workers as Ray Train's controller sees them: sent to the driver; long waits end the run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import ray
from ray.exceptions import RayActorError
from ray.train.v2._internal.execution.callback import WorkerGroupCallback

from sentiment.errors import Unavailable
from train_jobs.runs.capacity import ResourceRequest, free_in_words
from train_jobs.runs.recovery import LostWorker, WorkerEvent
from train_jobs.runtime.failures import death_of, reason_in
from train_jobs.runtime.progress import duration_in_words

_ANSWER_S: Final = 2.0
_PENDING: Final = ("PENDING", "RESCHEDULING")


class WorkerEvents(WorkerGroupCallback):
    """Posts events to the mailbox; ends a run whose workers have waited for room longer than `wait_s`.

    Ray Train asks for room again every minute. When a worker is lost its peers fail too, but are not reported as lost.
    """

    def __init__(self, mailbox: Any, need: ResourceRequest, wait_s: float) -> None:
        self._mailbox, self._need, self._wait_s = mailbox, need, wait_s
        self._since_s: float | None = None
        self._workers: dict[int, Any] = {}

    def before_worker_group_start(self, worker_group_context: Any) -> None:  # noqa: ARG002 - Ray names it
        """Report that Ray is asked for room.

        Raises:
            Unavailable: it has been asked for too long; this ends the run.
        """
        now = time.monotonic()
        if self._since_s is None:
            self._since_s = now
            self._post(WorkerEvent("asked"))
        elif now - self._since_s > self._wait_s:
            raise Unavailable(
                f"Ray had no room for the training for {duration_in_words(now - self._since_s)}: it asks for "
                f"{self._need.in_words()}; free are {free_in_words()}. Lower --workers or --set threads=…, add "
                "nodes, or wait longer with --wait"
            )

    def after_worker_group_start(self, worker_group: Any) -> None:
        """Report that all workers are placed."""
        self._since_s = None
        self._workers = {worker.distributed_context.world_rank: worker for worker in worker_group.get_workers()}
        self._post(WorkerEvent("placed"))

    def after_worker_group_poll_status(self, worker_group_status: Any) -> None:
        """Report which workers are gone; if none is, which ones failed."""
        if errors := worker_group_status.errors:
            deaths = {rank: reason for rank, error in errors.items() if (reason := death_of(error))}
            deaths |= self._deaths_besides(errors) if not deaths else {}
            reasons = deaths or {rank: f"it failed: {reason_in(str(error))}" for rank, error in errors.items()}
            lost = [LostWorker(rank, self._node_of(rank), reason) for rank, reason in sorted(reasons.items())]
            self._post(WorkerEvent("lost", lost=tuple(lost)))

    def _deaths_besides(self, errors: Mapping[int, object]) -> dict[int, str]:
        """Return why further workers are gone: their peers may fail before Ray notices that these are dead."""
        pings = {
            worker.actor.__ray_ready__.remote(): rank for rank, worker in self._workers.items() if rank not in errors
        }
        answered, _ = ray.wait([*pings], num_returns=len(pings), timeout=_ANSWER_S) if pings else ([], [])
        deaths = {}
        for answer in answered:
            try:
                ray.get(answer)
            except RayActorError as exc:
                deaths[pings[answer]] = death_of(exc) or reason_in(str(exc))
        return deaths

    def _node_of(self, rank: int) -> str:
        return str(self._workers[rank].metadata.node_ip) if rank in self._workers else "its node"

    def _post(self, event: WorkerEvent) -> None:
        self._mailbox.post.remote(event)


def free_while_waiting(need: ResourceRequest) -> str | None:
    """Return what is free on the nodes while workers of such a request wait to be placed; None if none waits."""
    groups = ray.util.placement_group_table().values()
    bundles = [need.of_a_worker] * need.workers
    if not any(group["state"] in _PENDING and [*group["bundles"].values()] == bundles for group in groups):
        return None
    return free_in_words()
