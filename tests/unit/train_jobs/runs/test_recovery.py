"""What a user is told while a training waits for room or recovers: each thing once, in the words of his cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("ray", reason="training needs the train extra")

from ray.exceptions import RayActorError
from ray.train.v2._internal.exceptions import WorkerHealthCheckFailedError

from sentiment.errors import Unavailable
from train_jobs.runs import worker_events
from train_jobs.runs.capacity import ResourceRequest
from train_jobs.runs.recovery import PATIENCE_S, LostWorker, RecoveryLog, WorkerEvent
from train_jobs.runs.worker_events import WorkerEvents, free_while_waiting
from train_jobs.runtime.failures import death_of

KILLED = (
    "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: Worker "
    "unexpectedly exits with a connection error code 2. End of file."
)
NODE = "The actor died because its node has died. Node Id: 7f\n\tthe actor's node was terminated unexpectedly"
MEMORY = "The actor died because its node ran out of memory: 1 worker was killed."


class Told:
    """A log of recovery whose clock stands still until it is moved; keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.now_s = 1000.0
        self.log = RecoveryLog(self.said.append, "2 workers with 4 CPUs each", lambda: self.now_s)

    def tick(self, after_s: float, free: str | None) -> None:
        self.now_s += after_s
        self.log.tick(lambda: free)


def test_a_lost_worker_is_told_with_its_step_and_node_and_where_the_run_goes_on() -> None:
    told = Told()
    told.log.take(WorkerEvent("asked"))
    told.log.take(WorkerEvent("placed"))
    told.log.take(WorkerEvent("ready"))
    assert told.said == [], "a run that just begins has nothing to tell"
    told.log.reached(340.0)
    told.log.take(WorkerEvent("lost", lost=(LostWorker(2, "10.0.0.2", "its node died"),)))
    told.log.take(WorkerEvent("asked"))
    told.log.take(WorkerEvent("placed"))
    told.log.take(WorkerEvent("ready", 300))
    assert told.said == [
        "worker 2 was lost after step 340 (10.0.0.2: its node died); it is being replaced",
        "training goes on from step 300",
    ]


def test_workers_of_one_node_are_lost_in_one_sentence_and_a_run_without_a_checkpoint_begins_again() -> None:
    told = Told()
    lost = tuple(LostWorker(rank, "10.0.0.2", "its node died") for rank in (0, 1))
    told.log.take(WorkerEvent("lost", lost=lost))
    told.log.take(WorkerEvent("ready", 0))
    assert told.said == [
        "workers 0 and 1 were lost after step 0 (10.0.0.2: its node died); they are being replaced",
        "training starts again from step 0: no checkpoint was stored yet",
    ]


def test_a_run_that_is_taken_up_by_its_name_says_from_where() -> None:
    told = Told()
    told.log.take(WorkerEvent("ready", 120))
    assert told.said == ["training goes on from step 120"]


def test_waiting_for_room_is_told_once_and_so_is_its_end() -> None:
    told = Told()
    told.tick(60, "1 CPU, 0 GPUs")
    told.log.take(WorkerEvent("asked"))
    told.tick(PATIENCE_S - 1, "1 CPU, 0 GPUs")
    assert told.said == [], "processes take a moment to start"
    for _ in range(90):
        told.tick(1, "1 CPU, 0 GPUs")
    told.log.take(WorkerEvent("asked"))  # Ray Train asks anew each minute
    told.tick(9, "1 CPU, 0 GPUs")
    told.log.take(WorkerEvent("placed"))
    told.tick(60, "1 CPU, 0 GPUs")
    assert told.said == [
        "waiting for room: the training asks for 2 workers with 4 CPUs each; free are 1 CPU, 0 GPUs",
        "room was found after 103 s",
    ]


def test_workers_that_are_placed_and_only_start_slowly_do_not_wait_for_room() -> None:
    told = Told()
    told.log.take(WorkerEvent("asked"))
    for _ in range(30):
        told.tick(1, None)
    told.log.take(WorkerEvent("placed"))
    assert told.said == []


@pytest.mark.parametrize(
    ("report", "reason"),
    [(KILLED, "its process was killed"), (NODE, "its node died"), (MEMORY, "memory ran out"), ("odd\nend", "end")],
)
def test_a_death_is_told_in_a_few_words(report: str, reason: str) -> None:
    died = RayActorError(error_msg=report)
    assert death_of(died) == reason
    assert death_of(WorkerHealthCheckFailedError("no answer", died)) == reason
    assert death_of(RuntimeError(report)) is None, "what a worker raises itself is no death"


class Mailbox:
    """Keeps what is posted."""

    def __init__(self) -> None:
        self.kept: list[WorkerEvent] = []
        self.post = SimpleNamespace(remote=self.kept.append)


def group_of(*actors: Any) -> Any:
    """Return a worker group of these actors, each on a node of its own."""
    workers = [
        SimpleNamespace(
            actor=actor,
            metadata=SimpleNamespace(node_ip=f"10.0.0.{rank}"),
            distributed_context=SimpleNamespace(world_rank=rank),
        )
        for rank, actor in enumerate(actors)
    ]
    return SimpleNamespace(get_workers=lambda: workers)


def status_of(errors: Mapping[int, Exception]) -> Any:
    return SimpleNamespace(errors=errors)


def answering(answer: Callable[[], object]) -> Any:
    """Return an actor whose readiness is this answer."""
    return SimpleNamespace(__ray_ready__=SimpleNamespace(remote=lambda: answer))


def dies() -> None:
    raise RayActorError(error_msg=KILLED)


@pytest.fixture
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_events.ray, "wait", lambda refs, **_: (refs, []))
    monkeypatch.setattr(worker_events.ray, "get", lambda ref: ref())


def test_a_peer_that_fails_since_another_worker_died_is_not_told_as_lost(no_ray: None) -> None:
    mailbox = Mailbox()
    events = WorkerEvents(mailbox, ResourceRequest(2, 1), 60.0)
    events.after_worker_group_start(group_of(answering(lambda: True), answering(dies)))
    events.after_worker_group_poll_status(status_of({0: RuntimeError("Connection closed by peer")}))
    events.after_worker_group_poll_status(status_of({}))
    [placed, lost] = mailbox.kept
    assert placed.kind == "placed"
    assert lost == WorkerEvent("lost", lost=(LostWorker(1, "10.0.0.1", "its process was killed"),))


def test_a_worker_that_fails_by_itself_is_told_with_what_it_raised(no_ray: None) -> None:
    mailbox = Mailbox()
    events = WorkerEvents(mailbox, ResourceRequest(2, 1), 60.0)
    events.after_worker_group_start(group_of(answering(lambda: True), answering(lambda: True)))
    events.after_worker_group_poll_status(status_of({1: OSError("the bucket is away")}))
    assert mailbox.kept[-1].lost == (LostWorker(1, "10.0.0.1", "it failed: the bucket is away"),)


def test_room_is_waited_for_as_long_as_was_said_and_the_end_tells_what_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(worker_events.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(worker_events, "free_in_words", lambda: "1 CPU, 0 GPUs")
    mailbox = Mailbox()
    events = WorkerEvents(mailbox, ResourceRequest(2, 1), 120.0)
    for _ in range(3):
        events.before_worker_group_start(None)
        now[0] += 60.0
    assert mailbox.kept == [WorkerEvent("asked")]
    with pytest.raises(Unavailable, match=r"for 0:03:00: .*2 workers with 1 CPU each; free are 1 CPU, 0 GPUs.*--wait"):
        events.before_worker_group_start(None)
    events.after_worker_group_start(group_of())
    events.before_worker_group_start(None)
    assert mailbox.kept[-1] == WorkerEvent("asked"), "a recovery waits as long again"


@pytest.mark.parametrize(
    ("state", "bundle", "waits"),
    [("PENDING", 1, True), ("RESCHEDULING", 1, True), ("CREATED", 1, False), ("PENDING", 2, False)],
)
def test_only_workers_of_this_training_that_are_not_placed_wait(
    state: str, bundle: int, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = {"state": state, "bundles": {0: {"CPU": float(bundle)}, 1: {"CPU": float(bundle)}}}
    monkeypatch.setattr(worker_events.ray.util, "placement_group_table", lambda: {"7": group})
    monkeypatch.setattr(worker_events, "free_in_words", lambda: "1 CPU, 0 GPUs")
    assert (free_while_waiting(ResourceRequest(2, 1)) is not None) == waits
