"""Starts, finds and ends the platform's own processes, and finds the process that holds a port.

Every process of a platform has its home folder and its part's name in variables that its children inherit. So they are
found for certain even if their parents have died, and no other process is ever touched.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import psutil

# Not named UNDERTONE_…: they are no settings, and nobody sets them by hand.
_PLATFORM: Final = "_UNDERTONE_PLATFORM"
_PART: Final = "_UNDERTONE_PART"

_OTHER_USERS: Final = "a process of another user"


def marker_of(home: Path, part: str) -> dict[str, str]:
    """Return the variables that mark the processes of one part of the platform in `home`."""
    return {_PLATFORM: str(home), _PART: part}


def start_logged(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, its output in its log; the log before it is kept once."""
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def own_processes(home: Path, part: str | None = None) -> list[psutil.Process]:
    """Return the living processes of the platform in `home`, or of one part, except this process and its parents."""
    marker = {_PLATFORM: str(home)} if part is None else marker_of(home, part)
    me = psutil.Process()
    mine = {me.pid, *(parent.pid for parent in me.parents())}
    return [process for process in psutil.process_iter() if process.pid not in mine and _is_marked(process, marker)]


def end(processes: Iterable[psutil.Process], grace_s: float) -> None:
    """Ask processes to end, and kill those that still run after `grace_s` seconds."""
    terminating = [process for process in processes if _signal(process, psutil.Process.terminate)]
    _, alive = psutil.wait_procs(terminating, timeout=grace_s)
    dying = [process for process in alive if _signal(process, psutil.Process.kill)]
    psutil.wait_procs(dying, timeout=5)


def describe(process: psutil.Process) -> str:
    """Return a process's name and id, for people."""
    try:
        return f"{process.name()} (pid {process.pid})"
    except psutil.Error:
        return f"pid {process.pid}"


def parent_of(process: psutil.Process) -> int | None:
    """Return the id of a process's parent; None where the process has ended."""
    try:
        return process.ppid()
    except psutil.Error:
        return None


def is_alive(pid: int, created: float) -> bool:
    """Return whether the process that was created at `created` is alive; another one may have its id by now."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - created) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def port_is_free(host: str, port: int) -> bool:
    """Return whether `host`:`port` can be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, ValueError):  # ValueError: a host name that cannot be looked up
            return False
    return True


def port_holder(port: int) -> str:
    """Return which process listens on `port`, for people; of other users' processes no more is known."""
    return next((describe(process) for process in psutil.process_iter() if _listens(process, port)), _OTHER_USERS)


def listens(home: Path, part: str, port: int) -> bool:
    """Return whether a process of that part of the platform in `home` listens on `port`."""
    return any(_listens(process, port) for process in own_processes(home, part))


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        connections = process.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return False
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in connections)


def _is_marked(process: psutil.Process, marker: dict[str, str]) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and marker.items() <= process.environ().items()
    except (psutil.Error, OSError):
        return False


def _signal(process: psutil.Process, send: Callable[[psutil.Process], None]) -> bool:
    try:
        send(process)
    except psutil.Error:
        return False
    return True
