"""Starts and ends the platform of this machine and reads its status, for the command line."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import psutil

from sentiment.environment import process_environment
from sentiment.errors import PlatformError
from sentiment.settings import Settings, load_settings, public_values, spelling_of
from serve_app.on_cluster.record import read_record
from serve_app.supervisor.managed_process import LocalProcesses
from serve_app.supervisor.probe import Address, is_instance
from serve_app.supervisor.process_specs import RAY
from serve_app.supervisor.processes import end, is_alive, marker_of, own_processes, start_logged
from serve_app.supervisor.state import PlatformPaths, PlatformState, read_state

SUPERVISOR: Final = "supervisor"

_POLL_S: Final = 0.2
_STOP_S: Final = 150.0
#: Most seconds for the application's removal from a cluster, which may not answer.
_REMOVE_S: Final = 240.0


@dataclass(frozen=True)
class PlatformStatus:
    """What there is of a platform."""

    state: PlatformState | None
    """What its supervisor wrote last; None if it wrote nothing."""
    supervised: bool
    """Whether its supervisor is alive."""
    processes: list[psutil.Process]
    """All of its processes."""
    answers: bool
    """Whether its API answers."""

    @property
    def healthy(self) -> bool:
        """Whether it runs, with a supervisor and an API that answers."""
        return self.supervised and self.answers and self.state is not None and self.state.phase == "running"


def read_status(settings: Settings) -> PlatformStatus:
    """Return the status of the platform in `settings.home`."""
    places = PlatformPaths(settings.home)
    state = read_state(places)
    supervised = state is not None and is_alive(state.pid, state.created)
    api = state.addresses.get("API") if state else None
    alive = supervised and state is not None and api is not None and is_instance(Address.of(api), state.instance)
    return PlatformStatus(state, supervised, own_processes(places.home), alive)


def refuse_other_settings(state: PlatformState, settings: Settings) -> None:
    """Check that the running platform has these settings; those left at their defaults do not count.

    Raises:
        PlatformError: a setting differs; the message names each one, and the remedy.
    """
    requested, running = public_values(settings), state.settings
    differing = sorted(name for name in settings.model_fields_set if requested.get(name) != running.get(name))
    if running and differing:
        differences = "; ".join(
            f"{spelling_of(name)} is {running.get(name)}, not {requested.get(name)}" for name in differing
        )
        raise PlatformError(
            f"the platform in {settings.home} runs with other settings: {differences}. End it first: undertone down"
        )


def start(settings: Settings, timeout_s: float, *, replace: bool = False) -> Iterator[PlatformState]:
    """Start the platform's supervisor, and yield its state until the platform runs.

    With `replace` it may replace another application that a cluster serves.

    Raises:
        PlatformError: it does not start, or not within `timeout_s` seconds; the message says why.
    """
    places = PlatformPaths(settings.home)
    places.make()
    child = _launch(settings, places, ["--replace"] if replace else [])
    yield from _until_running(places, child.pid, lambda: child.poll() is None, timeout_s)


def follow(settings: Settings, timeout_s: float) -> Iterator[PlatformState]:
    """Yield the running supervisor's state until the platform runs; raises as `start` does."""
    places = PlatformPaths(settings.home)
    state = read_state(places)
    if state is None or not is_alive(state.pid, state.created):
        raise PlatformError("the supervisor has just ended; start the platform again")
    yield from _until_running(places, state.pid, lambda: is_alive(state.pid, state.created), timeout_s)


def _until_running(
    places: PlatformPaths, pid: int, alive: Callable[[], bool], timeout_s: float
) -> Iterator[PlatformState]:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        time.sleep(_POLL_S)
        lives = alive()
        state = read_state(places)
        if state and state.pid == pid:
            yield state
            if state.phase == "running":
                return
        if not lives:
            raise PlatformError(_failure(state, pid, places))
    raise PlatformError(
        f"the platform is not ready after {timeout_s:.0f} s and goes on starting; see the logs in {places.logs}"
    )


def stop(settings: Settings, on_step: Callable[[str], None]) -> bool:
    """End the platform and all of its processes; return whether there was anything to end.

    `on_step` gets a sentence for each step.
    """
    status, places = read_status(settings), PlatformPaths(settings.home)
    # Found by the mark in its environment: a supervisor that has just started has written no state yet.
    for part, doing in ((SUPERVISOR, "then ending all parts"), (RAY, "then ending Ray, which has no supervisor")):
        if own_processes(places.home, part):
            on_step(f"answering the requests in flight, {doing}")
            LocalProcesses(places.home).end_part(part, _STOP_S)
    remaining = own_processes(places.home)
    if remaining:
        on_step(f"ending {len(remaining)} processes that have no supervisor")
        end(remaining, grace_s=10)
    on_cluster = read_record(places.cluster)
    if on_cluster:
        on_step(f"removing its application from the cluster at {on_cluster.address}")
        _remove_from_cluster(on_cluster.address, places)
    places.forget()
    return bool(status.processes or remaining or status.state or on_cluster)


def _remove_from_cluster(address: str, places: PlatformPaths) -> None:
    """End the application on a cluster after its process here was killed, in a new process that joins the cluster.

    Raises:
        PlatformError: the cluster does not answer, or does not end it; the record of it stays.
    """
    command = (sys.executable, "-m", "serve_app.on_cluster.application")
    environment = process_environment(load_settings(home=places.home), {})
    try:
        subprocess.run(
            command, env=environment, cwd=places.home, capture_output=True, text=True, check=True, timeout=_REMOVE_S
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as exc:
        is_late = isinstance(exc, subprocess.TimeoutExpired)
        lines = [] if is_late else str(exc.stderr).strip().splitlines()
        reason = lines[-1] if lines else f"no answer within {_REMOVE_S:.0f} s" if is_late else "no reason was given"
        raise PlatformError(
            f"the application on the cluster at {address} could not be ended: {reason}. Solve that and run undertone "
            f"down again; if the cluster no longer exists, remove {places.cluster}"
        ) from exc


def _launch(settings: Settings, places: PlatformPaths, options: Sequence[str]) -> subprocess.Popen[bytes]:
    command = (sys.executable, "-m", "serve_app.supervisor", *options)
    environment = process_environment(settings, marker_of(places.home, SUPERVISOR))
    return start_logged(command, environment, places.home, places.logs / f"{SUPERVISOR}.log")


def _failure(state: PlatformState | None, pid: int, places: PlatformPaths) -> str:
    if state and state.pid == pid and state.error:
        return state.error
    lines = (places.logs / f"{SUPERVISOR}.log").read_text(errors="replace").strip().splitlines()
    return f"the supervisor has ended: {lines[-1] if lines else 'its log is empty'}"
