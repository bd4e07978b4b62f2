"""The MLflow server of a job: the one that the settings name, or home's own, which is started if it does not run.

If another server holds the port of home's own, home's own takes another port.
"""

from __future__ import annotations

import fcntl
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import httpx

from sentiment.access.logins import without_login
from sentiment.environment import process_environment
from sentiment.errors import PlatformError, RegistryUnavailable
from sentiment.registry import Server, server_at
from sentiment.settings import Settings
from train_jobs.runtime import server_keeper
from train_jobs.runtime.server_keeper import SERVER, USERS, locked

_LOG = logging.getLogger(__name__)
_LOOPBACK: Final = "127.0.0.1"
_LOG_FILE: Final = "server.log"
#: Holds the address of home's running server, for jobs whose settings name another port.
_ADDRESS_FILE: Final = "server.address"
#: How long to wait for a server that holds the port without answering, as home's own does while it starts.
_SILENT_S: Final = 30.0
_START_S: Final = 300.0
_PROBE_S: Final = 2.0
#: Without these it is fourteen processes and 2.6 GiB instead of two and 0.5.
_SLIM: Final = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


@contextmanager
def tracking_server(settings: Settings) -> Iterator[str]:
    """Yield the address of an MLflow server: the one that the settings name, or home's own.

    Home's own ends with the last such block in any process with this home, not with the block that started it.

    Raises:
        RegistryUnavailable: the server that the settings name does not answer.
        PlatformError: home's own does not start.
    """
    if not settings.tracking_uri:
        with _lease_server(settings, settings.home / "mlflow") as uri:
            yield uri
        return
    uri = settings.tracking_uri
    if not answers(uri):
        raise RegistryUnavailable(f"no MLflow server answers at {without_login(uri)}: check UNDERTONE_TRACKING_URI")
    yield uri


def answers(uri: str) -> bool:
    """Return whether an MLflow server answers at `uri`."""
    try:
        return httpx.get(f"{uri.rstrip('/')}/health", timeout=_PROBE_S).text == "OK"
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


@contextmanager
def _lease_server(settings: Settings, folder: Path) -> Iterator[str]:
    """Hold the lock that keeps home's server running, and start it if needed; the last user waits for its end."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / USERS).open("ab") as users:
        with _one_at_a_time(folder):
            fcntl.flock(users, fcntl.LOCK_SH)  # waits for one that is about to end
            uri = _ensure_server(settings, folder)
        try:
            yield uri
        finally:
            with _one_at_a_time(folder):
                _release(users, folder)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process in at a time, so that two jobs that start together do not start two servers."""
    with (folder / "start.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _ensure_server(settings: Settings, folder: Path) -> str:
    """Return the address of home's server; start it if it does not run."""
    uri = _running_address(folder) or settings.registry_uri
    if _is_own(uri, folder):
        return uri
    if not _is_running(folder):  # a running one is only slow to answer
        uri = f"http://{_LOOPBACK}:{_usable_port(settings)}"
        _start(settings, folder, uri)
    until = time.monotonic() + _START_S
    while server_at(uri, folder) is not Server.OWN:
        if not _is_running(folder) or time.monotonic() > until:
            raise PlatformError(
                f"MLflow did not start at {uri}; {folder / _LOG_FILE} says why. If its port is taken, set "
                "UNDERTONE_MLFLOW_PORT"
            )
        time.sleep(0.2)
    return uri


def _is_own(uri: str, folder: Path) -> bool:
    """Return whether home's server is at an address; waits a while for what holds its port to answer."""
    port, until = httpx.URL(uri).port or 80, time.monotonic() + _SILENT_S
    while (server := server_at(uri, folder)) is Server.SILENT and not _is_free(port) and time.monotonic() < until:
        time.sleep(0.5)
    return server is Server.OWN


def _usable_port(settings: Settings) -> int:
    """Return the port for home's server: the one in the settings, or a free one if another server holds that."""
    if _is_free(settings.mlflow_port):
        return settings.mlflow_port
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        port = int(probe.getsockname()[1])
    _LOG.warning(
        "port %d is in use by another server; the MLflow of %s will listen on port %d. To use the other one, set "
        "UNDERTONE_TRACKING_URI",
        settings.mlflow_port,
        settings.home,
        port,
    )
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError:
            return False
    return True


def _start(settings: Settings, folder: Path, uri: str) -> None:
    _LOG.info("starting MLflow at %s", uri)
    (folder / _ADDRESS_FILE).write_text(uri, encoding="utf-8")
    with (folder / _LOG_FILE).open("ab") as log:
        subprocess.run(
            [sys.executable, "-P", server_keeper.__file__, str(folder), *_command(httpx.URL(uri).port or 80, folder)],
            env=process_environment(settings, _SLIM),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            check=True,
        )


def _command(port: int, folder: Path) -> list[str]:
    stores = ("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/artifacts")
    listen = ("--host", _LOOPBACK, "--port", str(port), "--workers", "1")
    return [sys.executable, "-m", "mlflow", "server", *listen, *stores]


def _running_address(folder: Path) -> str | None:
    """Return the address of home's running server, if it runs."""
    file = folder / _ADDRESS_FILE
    return file.read_text(encoding="utf-8") if _is_running(folder) and file.exists() else None


def _is_running(folder: Path) -> bool:
    """Return whether a process keeps home's server running."""
    with (folder / SERVER).open("ab") as file:
        return not locked(file, fcntl.LOCK_SH)


def _release(users: IO[bytes], folder: Path) -> None:
    """Release the lock; if nobody else holds it, wait until the server has ended."""
    is_last = locked(users, fcntl.LOCK_EX) or not locked(users, fcntl.LOCK_SH)  # if the keeper was quicker
    users.close()
    if is_last:
        with (folder / SERVER).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
