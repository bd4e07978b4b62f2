"""One part of the local platform while it runs: starts its process, watches it, starts it anew, ends it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sentiment.errors import PlatformError
from serve_app.supervisor.process_specs import ProcessSpec
from serve_app.supervisor.processes import end, own_processes, parent_of, start_logged
from serve_app.supervisor.restart_policy import REFUSED, Action, Patience, ProcessObservation, decide
from serve_app.supervisor.state import PartPhase, ProcessState

logger = logging.getLogger(__name__)

#: A part that has answered for so long starts with a clean sheet: its earlier failures no longer delay a restart.
_FORGIVEN_AFTER_S = 60.0
_ASK_AGAIN_S = 5.0
#: For what a dead or deaf process left behind: nothing of it answers requests any more.
_LEFTOVER_GRACE_S = 1.0
_LOG_BYTES = 4096


class Child(Protocol):
    """A process of this one's, as `subprocess.Popen` gives it."""

    pid: int

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""


class Hands(Protocol):
    """Starts and ends the processes of parts."""

    def start(self, part: ProcessSpec) -> Child:
        """Start the part's process."""

    def end(self, part: ProcessSpec, grace_s: float) -> None:
        """End all processes of the part, however they came to be, after `grace_s` seconds at the latest."""


class LocalHands:
    """Starts and ends real processes of the platform in `home`."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def start(self, part: ProcessSpec) -> Child:
        """Start the part in a session of its own, its output in its log; the log before it is kept once."""
        return start_logged(part.command, {**part.environment, **part.late()}, self._home, part.log)

    def end(self, part: ProcessSpec, grace_s: float) -> None:
        """End all processes of the part, however they came to be, after `grace_s` seconds at the latest."""
        self.end_part(part.name, grace_s)

    def end_part(self, name: str, grace_s: float) -> None:
        """Ask the part's own process to end and give it time for its children, then end what is left of it."""
        family = own_processes(self._home, name)
        known = {process.pid for process in family}
        end([process for process in family if parent_of(process) not in known], grace_s)
        end(own_processes(self._home, name), grace_s=2)


class ManagedProcess:
    """A part and its process. `step` looks, decides by the policy and acts; nothing else changes it."""

    def __init__(
        self, part: ProcessSpec, hands: Hands, patience: Patience, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.part = part
        self._hands, self._patience, self._clock = hands, patience, clock
        self._child: Child | None = None
        self._restarts = self._failures = 0
        self._ever_ready = self._done = self._answers = self._ended = False
        self._changed_s = self._answered_s = self._asked_s = clock()

    @property
    def is_ready(self) -> bool:
        """Whether it answers, or has done what it is for."""
        return self._done or self._answers

    @property
    def state(self) -> ProcessState:
        """How it is, for `platform.json`."""
        return ProcessState(phase=self._phase(), pid=self._child.pid if self._child else None, restarts=self._restarts)

    def step(self) -> None:
        """Do what is to be done about it now.

        Raises:
            PlatformError: it has failed to come up too often, or says that it never will.
        """
        self._look()
        action = decide(self._observed(), self._patience)
        if action is Action.RESTART:
            logger.warning("%s does not answer: it is started anew", self.part.name)
            self._hands.end(self.part, _LEFTOVER_GRACE_S)
            self._failed()
        elif action is Action.START:
            self._start()
        elif action is Action.GIVE_UP:
            raise PlatformError(f"{self.part.name} does not start: {_last_words(self.part.log)} (see {self.part.log})")

    def end(self) -> None:
        """End it and all of its processes."""
        self._hands.end(self.part, self.part.grace_s)
        self._child, self._answers, self._ended = None, False, True

    def _look(self) -> None:
        if self._child is None:
            return
        status = self._child.poll()
        if status is not None:
            self._done = self.part.once and status == 0
            if status == REFUSED and not self._ever_ready:
                raise PlatformError(_last_words(self.part.log))
            if not self._done:
                logger.warning("%s has ended with status %d", self.part.name, status)
                self._failed()
        elif not self._answers or self._clock() - self._asked_s >= _ASK_AGAIN_S:
            self._ask()

    def _ask(self) -> None:
        self._asked_s = self._clock()
        self._answers = self.part.ready()
        if self._answers:
            self._ever_ready, self._answered_s = True, self._asked_s
        if self._answers and self._asked_s - self._changed_s > _FORGIVEN_AFTER_S:
            self._failures = 0

    def _start(self) -> None:
        if self._failures:
            self._hands.end(self.part, _LEFTOVER_GRACE_S)
            self._restarts += 1
        self._child = self._hands.start(self.part)
        self._changed_s = self._answered_s = self._clock()

    def _failed(self) -> None:
        self._child, self._answers = None, False
        self._failures += 1
        self._changed_s = self._clock()

    def _observed(self) -> ProcessObservation:
        now = self._clock()
        return ProcessObservation(
            alive=self._child is not None,
            done=self._done,
            answered=self._answered_s > self._changed_s,
            ever_ready=self._ever_ready,
            failures=self._failures,
            since_s=now - self._changed_s,
            unready_s=now - self._answered_s,
        )

    def _phase(self) -> PartPhase:
        if self._done:
            return "done"
        if self._ended:
            return "ended"
        if self._answers:
            return "ready"
        if self._child:
            return "starting"
        return "failing" if self._failures else "waiting"


def _last_words(log: Path) -> str:
    """Return the last line of a log, which with Python is the error."""
    try:
        lines = log.read_bytes()[-_LOG_BYTES:].decode(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "it said nothing"
