"""The MLflow server that jobs start where none answers: one for all that begin together."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sentiment.errors import PlatformError, RegistryUnavailable
from sentiment.settings import Settings
from tests.free_ports import free_port
from train_jobs import tracking_server as module
from train_jobs.tracking_server import answers, tracking_server

SERVER = """
import http.server, sys, time

class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"OK")

    def log_message(self, *_):
        pass

time.sleep(0.5)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Health).serve_forever()
"""


USER = """
import sys
from pathlib import Path

from sentiment.settings import Settings
from train_jobs import tracking_server as module

home, port, server = sys.argv[1:]
module._command = lambda settings, folder: [sys.executable, "-c", server, port]
with module.tracking_server(Settings(home=Path(home), mlflow_port=int(port))):
    print("in", flush=True)
    sys.stdin.read()
"""


class User:
    """A process that uses the server until it is told to leave, or killed."""

    def __init__(self, settings: Settings) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", USER, str(settings.home), str(settings.mlflow_port), SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == b"in\n"

    def leave(self) -> None:
        """End as a job does."""
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0

    def kill(self) -> None:
        """End as by the system."""
        self._process.kill()
        self._process.communicate(timeout=60)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    found = Settings(home=tmp_path, mlflow_port=free_port())
    command = [sys.executable, "-c", SERVER, str(found.mlflow_port)]
    monkeypatch.setattr(module, "_command", lambda settings, folder: command)
    return found


def test_two_jobs_that_begin_together_start_one_server_between_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, both, start = list[Path](), threading.Barrier(2), module._start

    def counted(settings: Settings, folder: Path) -> None:
        started.append(folder)
        start(settings, folder)

    def use() -> None:
        with tracking_server(settings):
            both.wait(60)

    monkeypatch.setattr(module, "_start", counted)
    users = [threading.Thread(target=use) for _ in range(2)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert len(started) == 1
    assert not both.broken
    assert not answers(settings.registry_uri), "it ends with the last job that uses it"


@pytest.mark.parametrize("end", [User.leave, User.kill])
def test_a_server_outlives_the_job_that_started_it_while_another_uses_it(
    settings: Settings, end: Callable[[User], None]
) -> None:
    first, second = User(settings), User(settings)
    end(first)
    time.sleep(1.0)
    assert answers(settings.registry_uri)
    with tracking_server(settings):
        second.leave()
        assert answers(settings.registry_uri)
    assert not answers(settings.registry_uri)


def test_a_server_ends_with_its_last_job_even_if_that_is_killed(settings: Settings) -> None:
    User(settings).kill()
    until = time.monotonic() + 30
    while answers(settings.registry_uri) and time.monotonic() < until:
        time.sleep(0.1)
    assert not answers(settings.registry_uri)
    with tracking_server(settings):
        assert answers(settings.registry_uri), "the next job starts it again"


def test_a_server_that_does_not_start_is_told_with_the_place_of_its_log(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_command", lambda settings, folder: [sys.executable, "-c", "raise SystemExit('no')"])
    with pytest.raises(PlatformError, match=r"server\.log"), tracking_server(settings):
        pass
    assert "no" in (settings.home / "mlflow" / "server.log").read_text()


def test_an_address_that_is_none_is_told_as_a_server_that_does_not_answer(tmp_path: Path) -> None:
    assert not answers("http://[")
    settings = Settings(home=tmp_path, tracking_uri=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(RegistryUnavailable, match="UNDERTONE_TRACKING_URI"), tracking_server(settings):
        pass
