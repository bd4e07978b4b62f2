"""What befalls a run's workers, as Ray Train's controller sees it: sent to the driver, and bounded in time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import ray
from ray.exceptions import RayActorError
from ray.train.v2._internal.execution.callback import WorkerGroupCallback

from sentiment.errors import Unavailable
from train_jobs.runs.capacity import Need, free_in_words
from train_jobs.runs.recovery import LostWorker, WorkerEvent
from train_jobs.runtime.failures import death_of, reason_in
from train_jobs.runtime.progress import duration_in_words

_ANSWER_S: Final = 2.0
_PENDING: Final = ("PENDING", "RESCHEDULING")


class WorkerEvents(WorkerGroupCallback):
    """Posts events into the mailbox; ends a run whose workers found no room for longer than `wait_s`.

    Ray Train asks for room once a minute anew, and a lost worker's peers fail with it: they are not lost.
    """

    def __init__(self, mailbox: Any, need: Need, wait_s: float) -> None:
        self._mailbox, self._need, self._wait_s = mailbox, need, wait_s
        self._since_s: float | None = None
        self._workers: dict[int, Any] = {}

    def before_worker_group_start(self, worker_group_context: Any) -> None:  # noqa: ARG002 - Ray names it
        """Note that Ray is asked for room, unless it was for too long.

        Raises:
            Unavailable: it was; this ends the run.
        """
        now = time.monotonic()
        if self._since_s is None:
            self._since_s = now
            self._post(WorkerEvent("asked"))
        elif now - self._since_s > self._wait_s:
            raise Unavailable(
                f"no room came free in {duration_in_words(now - self._since_s)}: the training asks for "
                f"{self._need.in_words()}, free: {free_in_words()}. Lower --workers or "
                "--set threads=…, add nodes, or wait longer with --wait"
            )

    def after_worker_group_start(self, worker_group: Any) -> None:
        """Note that all workers are on nodes."""
        self._since_s = None
        self._workers = {worker.distributed_context.world_rank: worker for worker in worker_group.get_workers()}
        self._post(WorkerEvent("placed"))

    def after_worker_group_poll_status(self, worker_group_status: Any) -> None:
        """Note which workers are gone; where none is, which failed."""
        if errors := worker_group_status.errors:
            deaths = {rank: reason for rank, error in errors.items() if (reason := death_of(error))}
            deaths |= self._deaths_besides(errors) if not deaths else {}
            reasons = deaths or {rank: f"it failed: {reason_in(str(error))}" for rank, error in errors.items()}
            lost = [LostWorker(rank, self._node_of(rank), reason) for rank, reason in sorted(reasons.items())]
            self._post(WorkerEvent("lost", lost=tuple(lost)))

    def _deaths_besides(self, errors: Mapping[int, object]) -> dict[int, str]:
        """Return why workers are gone that have not been found so yet: their peers fail as soon as they are."""
        asked = {
            worker.actor.__ray_ready__.remote(): rank for rank, worker in self._workers.items() if rank not in errors
        }
        answered, _ = ray.wait([*asked], num_returns=len(asked), timeout=_ANSWER_S) if asked else ([], [])
        found = {}
        for answer in answered:
            try:
                ray.get(answer)
            except RayActorError as exc:
                found[asked[answer]] = death_of(exc) or reason_in(str(exc))
        return found

    def _node_of(self, rank: int) -> str:
        return str(self._workers[rank].metadata.node_ip) if rank in self._workers else "its node"

    def _post(self, event: WorkerEvent) -> None:
        self._mailbox.post.remote(event)


def free_while_waiting(need: Need) -> str | None:
    """Return what is free on the nodes while workers of that need are not placed; None if they are."""
    groups = ray.util.placement_group_table().values()
    wanted = [need.of_a_worker] * need.workers
    if not any(group["state"] in _PENDING and [*group["bundles"].values()] == wanted for group in groups):
        return None
    return free_in_words()
