"""Which MLflow server a command talks to: the one that is set, that of a platform that lives, or one of its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli.online.connection import connect
from cli.stores.registry import with_registry
from sentiment.client.http import url_of
from sentiment.errors import InvalidSettings, RegistryUnavailable
from sentiment.settings import Settings, public_values
from serve_app.supervisor.ports import addresses
from serve_app.supervisor.state import PlatformPaths, PlatformState
from serve_app.supervisor.supervisor import StateReport
from tests.free_ports import free_port


class Artifacts(BaseHTTPRequestHandler):
    """Answers as the MLflow server of a home does, of whose artifacts it hands out files."""

    home = Path("/nowhere")

    def do_GET(self) -> None:
        file = self.home / "mlflow" / "artifacts" / self.path.rpartition("/")[2]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(file.read_bytes() if file.is_file() else b"OK")

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(Artifacts, "home", tmp_path)
    server = HTTPServer(("127.0.0.1", 0), Artifacts)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def started(settings: Settings, phase: str = "running") -> None:
    """Write what a supervisor, which is this process, says of the platform in home."""
    PlatformPaths(settings.home).make()
    StateReport(PlatformPaths(settings.home), settings).write(phase)  # type: ignore[arg-type]


def test_a_command_talks_to_the_server_of_the_platform_that_runs_in_home(tmp_path: Path, mlflow: int) -> None:
    started(Settings(home=tmp_path, port=free_port(), mlflow_port=mlflow))
    assert with_registry(Settings(home=tmp_path)).tracking_uri == f"http://127.0.0.1:{mlflow}"
    set_otherwise = Settings(home=tmp_path, tracking_uri="http://mlflow:5000")
    assert with_registry(set_otherwise) is set_otherwise


def test_a_server_of_another_home_at_the_platforms_port_is_not_taken_for_its_own(tmp_path: Path, mlflow: int) -> None:
    home = tmp_path / "mine"
    started(Settings(home=home, port=free_port(), mlflow_port=mlflow))
    with pytest.raises(RegistryUnavailable, match=r"is down.*is not this home's") as caught:
        with_registry(Settings(home=home))
    assert f"UNDERTONE_TRACKING_URI=http://127.0.0.1:{mlflow}" in str(caught.value)


def test_a_platform_without_a_supervisor_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, me = Settings(home=tmp_path, port=free_port(), mlflow_port=free_port()), psutil.Process()
    places = PlatformPaths(tmp_path)
    places.make()
    gone = PlatformState(pid=os.getpid(), created=me.create_time() - 1000, started_at_s=0.0, phase="running")
    gone.model_copy(update={"addresses": addresses(mine), "settings": public_values(mine)}).write(places.state)
    asked = Settings(home=tmp_path)
    assert with_registry(asked) is asked
    monkeypatch.setenv("UNDERTONE_HOME", str(tmp_path))
    monkeypatch.delenv("UNDERTONE_PORT", raising=False)
    with connect(None, None, 1) as client:
        assert client.url == url_of(asked)


@pytest.mark.parametrize(
    ("phase", "told"),
    [("starting", "the platform is starting"), ("running", "the platform is running: see undertone status")],
)
def test_a_platforms_own_server_that_does_not_answer_is_told_as_that(phase: str, told: str, tmp_path: Path) -> None:
    port = free_port()
    started(Settings(home=tmp_path, port=free_port(), mlflow_port=port), phase)
    with pytest.raises(RegistryUnavailable, match=told) as caught:
        with_registry(Settings(home=tmp_path))
    assert f"http://127.0.0.1:{port}" in str(caught.value)
    assert "UNDERTONE_TRACKING_URI" not in str(caught.value)


def test_the_server_that_the_platform_was_started_with_is_taken_unless_it_wants_a_login(tmp_path: Path) -> None:
    started(Settings(home=tmp_path / "open", port=free_port(), tracking_uri="https://mlflow:5000/ours"))
    assert with_registry(Settings(home=tmp_path / "open")).tracking_uri == "https://mlflow:5000/ours"
    started(Settings(home=tmp_path / "closed", port=free_port(), tracking_uri="https://jane:sesame@mlflow:5000/ours"))
    with pytest.raises(
        InvalidSettings, match=r"https://mlflow:5000/ours with a login.*UNDERTONE_TRACKING_URI"
    ) as caught:
        with_registry(Settings(home=tmp_path / "closed"))
    assert "sesame" not in str(caught.value)
    assert "sesame" not in PlatformPaths(tmp_path / "closed").state.read_text()
