"""Drains HAProxy: it accepts no new connections, answers the requests that it has, and is ended.

After a signal alone it would wait two minutes for clients that keep an idle connection open.
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

#: Serve's name of the API's frontend.
_FRONTEND: Final = "http_frontend"
_LOOK_S: Final = 0.1
_ANSWER_S: Final = 2.0


def drain_haproxy(family: Iterable[psutil.Process], admin: Path, patience_s: float) -> None:
    """End the HAProxies in `family` once they have answered their requests, or after `patience_s` seconds.

    `admin` is the socket on which the newest one takes commands; earlier ones are ending already. Their managers are
    suspended meanwhile, or they would start another HAProxy.
    """
    family = list(family)
    proxies = sorted((process for process in family if _name(process) == "haproxy"), key=psutil.Process.create_time)
    if not proxies:
        return
    parents = {proxy.ppid() for proxy in proxies if _runs(proxy)}
    with _suspended([process for process in family if process.pid in parents]):
        *earlier, newest = proxies
        until = time.monotonic() + patience_s
        while time.monotonic() < until and (_has_requests(newest, admin) or any(map(_runs, earlier))):
            time.sleep(_LOOK_S)
        for proxy in proxies:
            with contextlib.suppress(psutil.NoSuchProcess):
                proxy.kill()


@contextlib.contextmanager
def _suspended(managers: Iterable[psutil.Process]) -> Iterator[None]:
    """Suspend processes inside the block; they must run after it, so that Serve can end them."""
    suspended = []
    try:
        for manager in managers:
            with contextlib.suppress(psutil.NoSuchProcess):
                manager.suspend()
                suspended.append(manager)
        yield
    finally:
        for manager in suspended:
            with contextlib.suppress(psutil.NoSuchProcess):
                manager.resume()


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:  # it has ended meanwhile
        return ""


def _has_requests(proxy: psutil.Process, admin: Path) -> bool:
    """Close the frontend and return whether requests are under way; a proxy that takes no commands gets a signal."""
    try:
        _run_command(admin, f"shutdown frontend {_FRONTEND}")  # repeating it changes nothing
        return f" fe={_FRONTEND} " in _run_command(admin, "show sess")
    except OSError as exc:
        logger.warning("HAProxy takes no commands (%s); waiting for it to end after a signal", exc)
        with contextlib.suppress(psutil.NoSuchProcess):
            proxy.send_signal(signal.SIGUSR1)
        return _runs(proxy)


def _run_command(admin: Path, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_S)
        connection.connect(str(admin))
        connection.sendall(f"{command}\n".encode())
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    return answer.decode(errors="replace")


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
