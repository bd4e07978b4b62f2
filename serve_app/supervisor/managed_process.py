"""One part of the local platform: starts its process, watches it, restarts it, ends it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sentiment.errors import PlatformError
from serve_app.supervisor.process_specs import ProcessSpec
from serve_app.supervisor.processes import end, own_processes, parent_of, start_logged
from serve_app.supervisor.restart_policy import REFUSED, Action, ProcessObservation, RestartPolicy, decide
from serve_app.supervisor.state import PartPhase, ProcessState

logger = logging.getLogger(__name__)

#: After a part has answered for this long, its earlier failures no longer delay a restart.
_FORGIVEN_AFTER_S = 60.0
_PROBE_EVERY_S = 5.0
#: Seconds for the remaining children of a process that died or hangs: they answer no requests any more.
_LEFTOVER_GRACE_S = 1.0
_LOG_BYTES = 4096


class Child(Protocol):
    """A child process, as `subprocess.Popen` is one."""

    pid: int

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""


class ProcessControl(Protocol):
    """Starts and ends the processes of parts."""

    def start(self, part: ProcessSpec) -> Child:
        """Start the part's process."""

    def end(self, part: ProcessSpec, grace_s: float) -> None:
        """Ask all processes of the part to end, and kill those that still run after `grace_s` seconds."""


class LocalProcesses:
    """Starts and ends real processes of the platform in `home`."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def start(self, part: ProcessSpec) -> Child:
        """Start the part in a new session, with its output in its log; one earlier log is kept."""
        return start_logged(part.command, {**part.environment, **part.late()}, self._home, part.log)

    def end(self, part: ProcessSpec, grace_s: float) -> None:
        """Ask all processes of the part to end, and kill those that still run after `grace_s` seconds."""
        self.end_part(part.name, grace_s)

    def end_part(self, name: str, grace_s: float) -> None:
        """End the part's top process, which has `grace_s` seconds to end its children; then end the others."""
        family = own_processes(self._home, name)
        pids = {process.pid for process in family}
        end([process for process in family if parent_of(process) not in pids], grace_s)
        end(own_processes(self._home, name), grace_s=2)


class ManagedProcess:
    """A part and its process. `step` observes it, lets the policy decide, and acts; nothing else changes it."""

    def __init__(
        self,
        part: ProcessSpec,
        processes: ProcessControl,
        policy: RestartPolicy,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.part = part
        self._processes, self._policy, self._clock = processes, policy, clock
        self._child: Child | None = None
        self._restarts = self._failures = 0
        self._ever_ready = self._is_done = self._answers = self._has_ended = False
        self._changed_s = self._answered_s = self._probed_s = clock()

    @property
    def is_ready(self) -> bool:
        """Whether it answers, or has finished its work."""
        return self._is_done or self._answers

    @property
    def state(self) -> ProcessState:
        """Its state for `platform.json`."""
        return ProcessState(phase=self._phase(), pid=self._child.pid if self._child else None, restarts=self._restarts)

    def step(self) -> None:
        """Observe it and do what the policy decides.

        Raises:
            PlatformError: it has failed to start too often, or reports that it never can.
        """
        self._observe()
        action = decide(self._observation(), self._policy)
        if action is Action.RESTART:
            logger.warning("%s does not answer; restarting it", self.part.name)
            self._processes.end(self.part, _LEFTOVER_GRACE_S)
            self._record_failure()
        elif action is Action.START:
            self._start()
        elif action is Action.GIVE_UP:
            raise PlatformError(f"{self.part.name} does not start: {_last_line(self.part.log)} (see {self.part.log})")

    def end(self) -> None:
        """End it and all of its processes."""
        self._processes.end(self.part, self.part.grace_s)
        self._child, self._answers, self._has_ended = None, False, True

    def _observe(self) -> None:
        if self._child is None:
            return
        status = self._child.poll()
        if status is not None:
            self._is_done = self.part.once and status == 0
            if status == REFUSED and not self._ever_ready:
                raise PlatformError(_last_line(self.part.log))
            if not self._is_done:
                logger.warning("%s has ended with status %d", self.part.name, status)
                self._record_failure()
        elif not self._answers or self._clock() - self._probed_s >= _PROBE_EVERY_S:
            self._probe()

    def _probe(self) -> None:
        self._probed_s = self._clock()
        self._answers = self.part.ready()
        if self._answers:
            self._ever_ready, self._answered_s = True, self._probed_s
        if self._answers and self._probed_s - self._changed_s > _FORGIVEN_AFTER_S:
            self._failures = 0

    def _start(self) -> None:
        if self._failures:
            self._processes.end(self.part, _LEFTOVER_GRACE_S)
            self._restarts += 1
        self._child = self._processes.start(self.part)
        self._changed_s = self._answered_s = self._clock()

    def _record_failure(self) -> None:
        self._child, self._answers = None, False
        self._failures += 1
        self._changed_s = self._clock()

    def _observation(self) -> ProcessObservation:
        now = self._clock()
        return ProcessObservation(
            alive=self._child is not None,
            done=self._is_done,
            answered=self._answered_s > self._changed_s,
            ever_ready=self._ever_ready,
            failures=self._failures,
            since_s=now - self._changed_s,
            unready_s=now - self._answered_s,
        )

    def _phase(self) -> PartPhase:
        if self._is_done:
            return "done"
        if self._has_ended:
            return "ended"
        if self._answers:
            return "ready"
        if self._child:
            return "starting"
        return "failing" if self._failures else "waiting"


def _last_line(log: Path) -> str:
    """Return the last line of a log; after an error in Python that is its message."""
    try:
        lines = log.read_bytes()[-_LOG_BYTES:].decode(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "its log is empty"
