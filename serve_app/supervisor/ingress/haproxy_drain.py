"""HAProxy on its way out: it takes no more callers in, answers the requests that it has, and is ended.

Told to end by a signal alone, it would wait for callers who keep a connection open and ask nothing, for two minutes.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import psutil

logger = logging.getLogger(__name__)

#: What Serve calls the frontend of the API.
_FRONTEND: Final = "http_frontend"
_LOOK_S: Final = 0.1
_ANSWER_S: Final = 2.0


def close_door(family: Iterable[psutil.Process], admin: Path, patience_s: float) -> None:
    """End the HAProxies among `family` once they have answered what they have, or after `patience_s` seconds.

    `admin` is the socket that the newest takes commands on. Those before it are ending already. Their manager is
    held up meanwhile, or it would start another one.
    """
    family = list(family)
    doors = sorted((process for process in family if _name(process) == "haproxy"), key=psutil.Process.create_time)
    if not doors:
        return
    parents = {door.ppid() for door in doors if _runs(door)}
    with _held_up([process for process in family if process.pid in parents]):
        *earlier, newest = doors
        until = time.monotonic() + patience_s
        while time.monotonic() < until and (_has_requests(newest, admin) or any(map(_runs, earlier))):
            time.sleep(_LOOK_S)
        for door in doors:
            with contextlib.suppress(psutil.NoSuchProcess):
                door.kill()


@contextlib.contextmanager
def _held_up(managers: Iterable[psutil.Process]) -> Iterator[None]:
    """Stop processes meanwhile; after that Serve ends them, which a stopped one would not answer."""
    held = []
    try:
        for manager in managers:
            with contextlib.suppress(psutil.NoSuchProcess):
                manager.suspend()
                held.append(manager)
        yield
    finally:
        for manager in held:
            with contextlib.suppress(psutil.NoSuchProcess):
                manager.resume()


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:  # it has ended meanwhile
        return ""


def _has_requests(door: psutil.Process, admin: Path) -> bool:
    """Let nobody in any more and return whether requests are under way; one that takes no commands ends by itself."""
    try:
        _ask(admin, f"shutdown frontend {_FRONTEND}")  # a second time it changes nothing
        return f" fe={_FRONTEND} " in _ask(admin, "show sess")
    except OSError as exc:
        logger.warning("HAProxy takes no command (%s): it is left to end by itself", exc)
        with contextlib.suppress(psutil.NoSuchProcess):
            door.send_signal(signal.SIGUSR1)
        return _runs(door)


def _ask(admin: Path, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_S)
        connection.connect(str(admin))
        connection.sendall(f"{command}\n".encode())
        said = b""
        while chunk := connection.recv(65_536):
            said += chunk
    return said.decode(errors="replace")


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
