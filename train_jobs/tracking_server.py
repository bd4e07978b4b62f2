"""The MLflow server of a job: the one that the settings name, the local one that runs, or one started for the job."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from sentiment.errors import PlatformError, RegistryUnavailable
from sentiment.settings import Settings, process_environment

_LOG = logging.getLogger(__name__)
_LOOPBACK: Final = "127.0.0.1"
_START_S: Final = 300.0
_GRACE_S: Final = 10.0
_PROBE_S: Final = 2.0
#: Asks the system for SIGTERM when the parent dies (PR_SET_PDEATHSIG), then becomes the program that was asked for.
_END_WITH_PARENT: Final = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
#: Without these it is fourteen processes and 2.6 GiB instead of two and 0.5.
_SLIM: Final = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


@contextmanager
def tracking_server(settings: Settings) -> Iterator[str]:
    """Yield the address of an MLflow server; one that had to be started keeps its data in home and ends with the block.

    Raises:
        RegistryUnavailable: the server that the settings name does not answer.
        PlatformError: the local one does not start.
    """
    uri = settings.registry_uri
    if answers(uri):
        yield uri
        return
    if settings.tracking_uri:
        raise RegistryUnavailable(
            f"no MLflow server answers at {uri.rpartition('@')[2]}; is UNDERTONE_TRACKING_URI right?"
        )
    folder = settings.home / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(folder / "start.lock"):
        server = None if answers(uri) else _started(settings, folder, uri)
    try:
        yield uri
    finally:
        if server:
            _end(server)


def answers(uri: str) -> bool:
    """Say whether an MLflow server answers at `uri`."""
    try:
        return httpx.get(f"{uri.rstrip('/')}/health", timeout=_PROBE_S).text == "OK"
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Let one process in at a time: two jobs that begin together start one server, not two on one port."""
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _started(settings: Settings, folder: Path, uri: str) -> subprocess.Popen[bytes]:
    server = _start(settings, folder)
    try:
        _wait(server, uri, folder / "server.log")
    except BaseException:
        _end(server)
        raise
    return server


def _start(settings: Settings, folder: Path) -> subprocess.Popen[bytes]:
    stores = ("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/artifacts")
    listen = ("--host", _LOOPBACK, "--port", str(settings.mlflow_port), "--workers", "1")
    _LOG.info("starting MLflow at %s", settings.registry_uri)
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen(
            [*_python(), "-m", "mlflow", "server", *listen, *stores],
            env=process_environment(settings, _SLIM),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _python() -> list[str]:
    """Return the interpreter, so that what it runs ends when this process dies, killed or not; on Linux alone."""
    return [sys.executable, *(("-c", _END_WITH_PARENT) if sys.platform == "linux" else ())]


def _wait(server: subprocess.Popen[bytes], uri: str, log: Path) -> None:
    until = time.monotonic() + _START_S
    while not answers(uri):
        if server.poll() is not None or time.monotonic() > until:
            raise PlatformError(
                f"MLflow did not start at {uri}; {log} says why (is its port taken? UNDERTONE_MLFLOW_PORT)"
            )
        time.sleep(0.2)


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server's session, its workers too."""
    for wanted in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, wanted)
            server.wait(_GRACE_S)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
