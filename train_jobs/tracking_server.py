"""The MLflow server of a job: the one that the settings name, the local one that runs, or one started for the job."""

from __future__ import annotations

import fcntl
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import httpx

from sentiment.environment import process_environment
from sentiment.errors import PlatformError, RegistryUnavailable
from sentiment.logins import without_login
from sentiment.settings import Settings
from train_jobs import server_keeper
from train_jobs.server_keeper import SERVER, USERS, locked

_LOG = logging.getLogger(__name__)
_LOOPBACK: Final = "127.0.0.1"
_LOG_FILE: Final = "server.log"
_START_S: Final = 300.0
_PROBE_S: Final = 2.0
#: Without these it is fourteen processes and 2.6 GiB instead of two and 0.5.
_SLIM: Final = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


@contextmanager
def tracking_server(settings: Settings) -> Iterator[str]:
    """Yield the address of an MLflow server; one that had to be started keeps its data in home.

    It ends with the last block, of all processes with this home, that it is used in: not with the one that started it.

    Raises:
        RegistryUnavailable: the server that the settings name does not answer.
        PlatformError: the local one does not start.
    """
    uri = settings.registry_uri
    if not settings.tracking_uri:
        with _used(settings, settings.home / "mlflow"):
            yield uri
        return
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
def _used(settings: Settings, folder: Path) -> Iterator[None]:
    """Hold the lock that keeps the local server; start it where none answers. The last one out waits for its end."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / USERS).open("ab") as users:
        with _one_at_a_time(folder):
            fcntl.flock(users, fcntl.LOCK_SH)  # waits for one that is about to end
            _have_server(settings, folder)
        try:
            yield
        finally:
            with _one_at_a_time(folder):
                _leave(users, folder)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process in at a time: two jobs that begin together start one server, not two on one port."""
    with (folder / "start.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _have_server(settings: Settings, folder: Path) -> None:
    uri = settings.registry_uri
    if answers(uri):
        return
    if not _is_kept(folder):  # one that is kept is only slow to answer
        _start(settings, folder)
    until = time.monotonic() + _START_S
    while not answers(uri):
        if not _is_kept(folder) or time.monotonic() > until:
            raise PlatformError(
                f"MLflow did not start at {uri}; {folder / _LOG_FILE} says why (is its port taken? "
                "UNDERTONE_MLFLOW_PORT)"
            )
        time.sleep(0.2)


def _start(settings: Settings, folder: Path) -> None:
    _LOG.info("starting MLflow at %s", settings.registry_uri)
    with (folder / _LOG_FILE).open("ab") as log:
        subprocess.run(
            [sys.executable, "-P", server_keeper.__file__, str(folder), *_command(settings, folder)],
            env=process_environment(settings, _SLIM),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            check=True,
        )


def _command(settings: Settings, folder: Path) -> list[str]:
    stores = ("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/artifacts")
    listen = ("--host", _LOOPBACK, "--port", str(settings.mlflow_port), "--workers", "1")
    return [sys.executable, "-m", "mlflow", "server", *listen, *stores]


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
