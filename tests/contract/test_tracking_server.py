"""The MLflow server that jobs start where none answers: one for all that begin together."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sentiment.errors import PlatformError, RegistryUnavailable
from sentiment.registry import Registry, Server, server_at
from sentiment.settings import Settings
from tests.free_ports import free_port
from train_jobs.runtime import tracking_server as module
from train_jobs.runtime.tracking_server import answers, tracking_server

#: Answers as MLflow does to those who ask for its health, and for a file of its artifacts.
SERVER = """
import http.server, pathlib, sys, time

class Artifacts(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        file = pathlib.Path(sys.argv[2], "artifacts", self.path.rpartition("/")[2])
        self.send_response(200 if file.is_file() or self.path == "/health" else 404)
        self.end_headers()
        self.wfile.write(file.read_bytes() if file.is_file() else b"OK")

    def log_message(self, *_):
        pass

time.sleep(0.5)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Artifacts).serve_forever()
"""


USER = """
import sys
from pathlib import Path

from sentiment.settings import Settings
from train_jobs.runtime import tracking_server as module

home, port, server = sys.argv[1:]
module._command = lambda port, folder: [sys.executable, "-c", server, str(port), str(folder)]
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
    def command(port: int, folder: Path) -> list[str]:
        return [sys.executable, "-c", SERVER, str(port), str(folder)]

    monkeypatch.setattr(module, "_command", command)
    return Settings(home=tmp_path, mlflow_port=free_port())


@contextmanager
def serving(port: int, folder: Path) -> Iterator[None]:
    """Run a server that was started by somebody else."""
    with subprocess.Popen([sys.executable, "-c", SERVER, str(port), str(folder)]) as server:
        try:
            until = time.monotonic() + 30
            while not answers(f"http://127.0.0.1:{port}"):
                assert time.monotonic() < until
                time.sleep(0.1)
            yield
        finally:
            server.kill()


def test_two_jobs_that_begin_together_start_one_server_between_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, both, start = list[Path](), threading.Barrier(2), module._start

    def counted(settings: Settings, folder: Path, uri: str) -> None:
        started.append(folder)
        start(settings, folder, uri)

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
    monkeypatch.setattr(module, "_command", lambda port, folder: [sys.executable, "-c", "raise SystemExit('no')"])
    with pytest.raises(PlatformError, match=r"server\.log"), tracking_server(settings):
        pass
    assert "no" in (settings.home / "mlflow" / "server.log").read_text()


def test_an_address_that_is_none_is_told_as_a_server_that_does_not_answer(tmp_path: Path) -> None:
    assert not answers("http://[")
    settings = Settings(home=tmp_path, tracking_uri=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(RegistryUnavailable, match="UNDERTONE_TRACKING_URI"), tracking_server(settings):
        pass


def test_a_server_that_nobody_named_is_left_alone_and_homes_own_takes_another_port(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(settings.mlflow_port, tmp_path / "foreign"), tracking_server(settings) as uri:
        assert uri != settings.registry_uri
        assert server_at(uri, settings.home / "mlflow") is Server.OWN
        assert server_at(settings.registry_uri, settings.home / "mlflow") is Server.ANOTHERS
        with tracking_server(Settings(home=settings.home, mlflow_port=free_port())) as again:
            assert again == uri, "a home has one server, whatever port is asked for"
    assert f"port {settings.mlflow_port} is in use" in caplog.text
    assert "UNDERTONE_TRACKING_URI" in caplog.text


def test_a_server_that_is_named_is_used_whoever_started_it(settings: Settings, tmp_path: Path) -> None:
    named = Settings(home=settings.home, tracking_uri=f"http://127.0.0.1:{settings.mlflow_port}")
    with serving(settings.mlflow_port, tmp_path / "foreign"), tracking_server(named) as uri:
        assert uri == named.tracking_uri
    assert not (settings.home / "mlflow").exists()


def test_homes_own_server_is_used_whoever_started_it(settings: Settings) -> None:
    with serving(settings.mlflow_port, settings.home / "mlflow"), tracking_server(settings) as uri:
        assert uri == settings.registry_uri
        assert not (settings.home / "mlflow" / "server.address").exists(), "a second one was started"


def test_a_registry_that_nobody_named_has_to_be_homes_own(settings: Settings, tmp_path: Path) -> None:
    with (
        serving(settings.mlflow_port, tmp_path / "foreign"),
        pytest.raises(RegistryUnavailable, match="is not this home's") as caught,
    ):
        Registry.of(settings).versions("sentiment")
    assert f"UNDERTONE_TRACKING_URI={settings.registry_uri}" in str(caught.value)


def test_what_speaks_no_http_is_anothers_and_nothing_is_silent(tmp_path: Path) -> None:
    port = free_port()
    assert server_at(f"http://127.0.0.1:{port}", tmp_path) is Server.SILENT
    assert server_at("http://[", tmp_path) is Server.SILENT
    with socket.create_server(("127.0.0.1", port)) as other:

        def babble() -> None:
            connection, _ = other.accept()
            with connection:
                connection.sendall(b"220 mail ready\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        assert server_at(f"http://127.0.0.1:{port}", tmp_path) is Server.ANOTHERS
        thread.join()


def test_the_mark_of_a_home_is_its_owners_alone(tmp_path: Path) -> None:
    server_at(f"http://127.0.0.1:{free_port()}", tmp_path)
    [mark] = (tmp_path / "artifacts").iterdir()
    assert mark.stat().st_mode & 0o077 == 0
    assert len(mark.read_text()) == 64
