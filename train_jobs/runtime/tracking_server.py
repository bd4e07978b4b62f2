"""The MLflow server of a job: the one that the settings name, home's own that runs, or home's own started for the job.

A server that nobody named and that is not home's own is left alone: home's takes another port then.
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
#: Where the server that is kept listens: a job whose settings name another port finds it by this.
_ADDRESS_FILE: Final = "server.address"
#: For a server that holds the port and is silent, as home's own is while it starts.
_SILENT_S: Final = 30.0
_START_S: Final = 300.0
_PROBE_S: Final = 2.0
#: Without these it is fourteen processes and 2.6 GiB instead of two and 0.5.
_SLIM: Final = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


@contextmanager
def tracking_server(settings: Settings) -> Iterator[str]:
    """Yield the address of an MLflow server: the one that is named, or home's own, which keeps its data in home.

    It ends with the last block, of all processes with this home, that it is used in: not with the one that started it.

    Raises:
        RegistryUnavailable: the server that the settings name does not answer.
        PlatformError: home's own does not start.
    """
    if not settings.tracking_uri:
        with _used(settings, settings.home / "mlflow") as uri:
            yield uri
        return
    uri = settings.tracking_uri
    if not answers(uri):
        raise RegistryUnavailable(f"no MLflow server answers at {without_login(uri)}; is UNDERTONE_TRACKING_URI right?")
    yield uri


def answers(uri: str) -> bool:
    """Say whether an MLflow server answers at `uri`."""
    try:
        return httpx.get(f"{uri.rstrip('/')}/health", timeout=_PROBE_S).text == "OK"
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


@contextmanager
def _used(settings: Settings, folder: Path) -> Iterator[str]:
    """Hold the lock that keeps home's server; start it where none answers. The last one out waits for its end."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / USERS).open("ab") as users:
        with _one_at_a_time(folder):
            fcntl.flock(users, fcntl.LOCK_SH)  # waits for one that is about to end
            uri = _have_server(settings, folder)
        try:
            yield uri
        finally:
            with _one_at_a_time(folder):
                _leave(users, folder)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process in at a time: two jobs that begin together start one server, not two on one port."""
    with (folder / "start.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _have_server(settings: Settings, folder: Path) -> str:
    """Return the address of home's server, which is started where none runs."""
    uri = _kept_at(folder) or settings.registry_uri
    if _is_own(uri, folder):
        return uri
    if not _is_kept(folder):  # one that is kept is only slow to answer
        uri = f"http://{_LOOPBACK}:{_usable_port(settings)}"
        _start(settings, folder, uri)
    until = time.monotonic() + _START_S
    while server_at(uri, folder) is not Server.OWN:
        if not _is_kept(folder) or time.monotonic() > until:
            raise PlatformError(
                f"MLflow did not start at {uri}; {folder / _LOG_FILE} says why (is its port taken? "
                "UNDERTONE_MLFLOW_PORT)"
            )
        time.sleep(0.2)
    return uri


def _is_own(uri: str, folder: Path) -> bool:
    """Say whether home's server is at an address, once what holds its port has spoken."""
    port, until = httpx.URL(uri).port or 80, time.monotonic() + _SILENT_S
    while (found := server_at(uri, folder)) is Server.SILENT and not _is_free(port) and time.monotonic() < until:
        time.sleep(0.5)
    return found is Server.OWN


def _usable_port(settings: Settings) -> int:
    """Return the port of home's server: the one that is set, or where another's server holds that, a free one."""
    if _is_free(settings.mlflow_port):
        return settings.mlflow_port
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        port = int(probe.getsockname()[1])
    _LOG.warning(
        "port %d is in use by a server that is not the MLflow of %s, which listens on port %d for the time being; to "
        "use another's server, name it: UNDERTONE_TRACKING_URI",
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


def _kept_at(folder: Path) -> str | None:
    """Return the address of the server that is kept, if one is."""
    file = folder / _ADDRESS_FILE
    return file.read_text(encoding="utf-8") if _is_kept(folder) and file.exists() else None


def _is_kept(folder: Path) -> bool:
    """Say whether a keeper of the server lives."""
    with (folder / SERVER).open("ab") as file:
        return not locked(file, fcntl.LOCK_SH)


def _leave(users: IO[bytes], folder: Path) -> None:
    """Give up the lock, and if nobody else holds it, wait until the server that it kept is gone."""
    is_last = locked(users, fcntl.LOCK_EX) or not locked(users, fcntl.LOCK_SH)  # then the keeper was quicker
    users.close()
    if is_last:
        with (folder / SERVER).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
