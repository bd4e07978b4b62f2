"""Decides, from events alone, what to tell the user while a training waits for room or recovers; each thing once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

#: Default of the longest wait of workers for room on a cluster.
WAIT_S: Final = 3600.0
#: Workers that have not started after so many seconds may be waiting for room; processes alone start faster.
PATIENCE_S: Final = 5.0
_LOOK_EVERY_S: Final = 2.0


@dataclass(frozen=True)
class LostWorker:
    """A worker that is gone or failed: its rank, the address of its node, and the reason in a few words."""

    rank: int
    node: str
    reason: str


@dataclass(frozen=True)
class WorkerEvent:
    """An event of the workers of a run."""

    kind: Literal["asked", "placed", "ready", "lost"]
    """`asked` of Ray, `placed` on nodes, `ready` to train, or `lost`."""
    step: int = 0
    """The step from which `ready` workers train."""
    lost: tuple[LostWorker, ...] = ()


class RecoveryLog:
    """Turns events of a run's workers into sentences; `clock` is in seconds."""

    def __init__(self, say: Callable[[str], None], request: str, clock: Callable[[], float]) -> None:
        self._say, self._asked, self._clock = say, request, clock
        self._step, self._has_lost = 0, False
        self._since_s: float | None = None
        self._next_look_s, self._waits = 0.0, False

    def reached(self, step: float) -> None:
        """Remember the step of the latest report."""
        self._step = int(step)

    def take(self, event: WorkerEvent) -> None:
        """Tell the user what an event means."""
        match event.kind:
            case "asked":
                self._begin_to_wait()
            case "placed":
                self._end_to_wait()
            case "ready":
                self._go_on(event.step)
            case "lost":
                self._has_lost = True
                self._say(f"{self._in_words(event)}; {'they are' if len(event.lost) > 1 else 'it is'} being replaced")

    def tick(self, free: Callable[[], str | None]) -> None:
        """Tell the user once that the workers wait for room; `free` returns what is free, None if all are placed."""
        now = self._clock()
        if self._since_s is None or self._waits or now < self._next_look_s:
            return
        self._next_look_s = now + _LOOK_EVERY_S
        if (free_words := free()) is not None:
            self._waits = True
            self._say(f"waiting for room: the training asks for {self._asked}; free are {free_words}")

    def _begin_to_wait(self) -> None:
        if self._since_s is None:
            self._since_s = self._clock()
            self._next_look_s = self._since_s + PATIENCE_S

    def _end_to_wait(self) -> None:
        if self._waits and self._since_s is not None:
            self._say(f"room was found after {self._clock() - self._since_s:.0f} s")
        self._since_s, self._waits = None, False

    def _go_on(self, step: int) -> None:
        self._end_to_wait()
        if step:
            self._say(f"training goes on from step {step}")
        elif self._has_lost:
            self._say("training starts again from step 0: no checkpoint was stored yet")
        self._step = step

    def _in_words(self, event: WorkerEvent) -> str:
        """Return `worker 2 was lost after step 340 (10.0.0.2: its node died)`."""
        ranks = " and ".join(str(each.rank) for each in event.lost)
        reasons = dict.fromkeys(f"{each.node}: {each.reason}" for each in event.lost)
        who = f"workers {ranks} were" if len(event.lost) > 1 else f"worker {ranks} was"
        return f"{who} lost after step {self._step} ({'; '.join(reasons)})"
