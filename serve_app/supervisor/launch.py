"""Starts, ends and looks at the platform of this machine, from outside of it."""

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
from serve_app.supervisor.managed_process import LocalHands
from serve_app.supervisor.probe import Address, is_instance
from serve_app.supervisor.process_specs import RAY
from serve_app.supervisor.processes import end, is_alive, marker_of, own_processes, start_logged
from serve_app.supervisor.state import PlatformPaths, PlatformState, read_state

SUPERVISOR: Final = "supervisor"

_POLL_S: Final = 0.2
_STOP_S: Final = 150.0
#: For a cluster that does not answer, and for Serve to end what it serves.
_REMOVE_S: Final = 240.0


@dataclass(frozen=True)
class Look:
    """What is there of a platform: its supervisor's word, whether that one lives, all of its processes."""

    state: PlatformState | None
    supervised: bool
    processes: list[psutil.Process]
    answers: bool

    @property
    def healthy(self) -> bool:
        """Whether it is up, supervised and alive to the world."""
        return self.supervised and self.answers and self.state is not None and self.state.phase == "running"


def look(settings: Settings) -> Look:
    """Return how the platform in `settings.home` is."""
    places = PlatformPaths(settings.home)
    state = read_state(places)
    supervised = state is not None and is_alive(state.pid, state.created)
    api = state.addresses.get("API") if state else None
    alive = supervised and state is not None and api is not None and is_instance(Address.of(api), state.instance)
    return Look(state, supervised, own_processes(places.home), alive)


def refuse_other_settings(state: PlatformState, settings: Settings) -> None:
    """Check that the running platform has the settings that are asked for; those left at their defaults do not count.

    Raises:
        PlatformError: naming each setting that differs, and the remedy.
    """
    asked, given = public_values(settings), state.settings
    differing = sorted(name for name in settings.model_fields_set if asked.get(name) != given.get(name))
    if given and differing:
        told = "; ".join(f"{spelling_of(name)} is {given.get(name)}, not {asked.get(name)}" for name in differing)
        raise PlatformError(
            f"the platform in {settings.home} runs with other settings: {told}. End it first: undertone down"
        )


def start(settings: Settings, timeout_s: float, *, replace: bool = False) -> Iterator[PlatformState]:
    """Start the platform's supervisor, and yield what it says until the platform runs.

    `replace` lets it take the place of what a cluster serves.

    Raises:
        PlatformError: it does not come up, or not in `timeout_s` seconds; the message says why.
    """
    places = PlatformPaths(settings.home)
    places.make()
    child = _launch(settings, places, ["--replace"] if replace else [])
    yield from _until_running(places, child.pid, lambda: child.poll() is None, timeout_s)


def follow(settings: Settings, timeout_s: float) -> Iterator[PlatformState]:
    """Yield what the running supervisor says until the platform runs; raises as `start` does."""
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
            raise PlatformError(_why(state, pid, places))
    raise PlatformError(
        f"the platform is not ready after {timeout_s:.0f} s, and goes on trying; its logs: {places.logs}"
    )


def stop(settings: Settings, told: Callable[[str], None]) -> bool:
    """End the platform and whatever is left of it; return whether there was anything. `told` hears of each step."""
    seen, places = look(settings), PlatformPaths(settings.home)
    # By its mark: one that has just been started has said nothing yet.
    for part, doing in ((SUPERVISOR, "then ending all parts"), (RAY, "which had no supervisor")):
        if own_processes(places.home, part):
            told(f"answering what is in flight, {doing}")
            LocalHands(places.home).end_part(part, _STOP_S)
    left = own_processes(places.home)
    if left:
        told(f"ending {len(left)} processes that have no supervisor")
        end(left, grace_s=10)
    on_cluster = read_record(places.cluster)
    if on_cluster:
        told(f"ending what it has left on the cluster at {on_cluster.address}")
        _remove_from_cluster(on_cluster.address, places)
    places.forget()
    return bool(seen.processes or left or seen.state or on_cluster)


def _remove_from_cluster(address: str, places: PlatformPaths) -> None:
    """End the application on a cluster that nobody here holds any more; a process of its own joins that cluster.

    Raises:
        PlatformError: the cluster does not answer, or does not end it; what is to be ended is still known then.
    """
    command = (sys.executable, "-m", "serve_app.on_cluster.application")
    environment = process_environment(load_settings(home=places.home), {})
    try:
        subprocess.run(
            command, env=environment, cwd=places.home, capture_output=True, text=True, check=True, timeout=_REMOVE_S
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as exc:
        is_late = isinstance(exc, subprocess.TimeoutExpired)
        said = [] if is_late else str(exc.stderr).strip().splitlines()
        reason = said[-1] if said else f"no answer in {_REMOVE_S:.0f} s" if is_late else "it said nothing"
        raise PlatformError(
            f"the application on the cluster at {address} could not be ended: {reason}. Mend that, and call undertone "
            f"down again; if the cluster is gone for good, remove {places.cluster}"
        ) from exc


def _launch(settings: Settings, places: PlatformPaths, options: Sequence[str]) -> subprocess.Popen[bytes]:
    command = (sys.executable, "-m", "serve_app.supervisor", *options)
    environment = process_environment(settings, marker_of(places.home, SUPERVISOR))
    return start_logged(command, environment, places.home, places.logs / f"{SUPERVISOR}.log")


def _why(state: PlatformState | None, pid: int, places: PlatformPaths) -> str:
    if state and state.pid == pid and state.error:
        return state.error
    lines = (places.logs / f"{SUPERVISOR}.log").read_text(errors="replace").strip().splitlines()
    return f"the supervisor has ended: {lines[-1] if lines else 'it said nothing'}"
