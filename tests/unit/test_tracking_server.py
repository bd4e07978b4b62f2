"""The MLflow server that jobs start where none answers: one for all that begin together."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sentiment.errors import RegistryUnavailable
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


def test_two_jobs_that_begin_together_start_one_server_between_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, started, both = Settings(home=tmp_path, mlflow_port=free_port()), list[int](), threading.Barrier(2)

    def start(settings: Settings, folder: Path) -> subprocess.Popen[bytes]:
        server = subprocess.Popen([sys.executable, "-c", SERVER, str(settings.mlflow_port)], start_new_session=True)
        started.append(server.pid)
        return server

    def use() -> None:
        with tracking_server(settings):
            both.wait(60)

    monkeypatch.setattr(module, "_start", start)
    users = [threading.Thread(target=use) for _ in range(2)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert len(started) == 1
    assert not both.broken
    assert not answers(settings.registry_uri), "it ends with the job that started it"


def test_an_address_that_is_none_is_told_as_a_server_that_does_not_answer(tmp_path: Path) -> None:
    assert not answers("http://[")
    settings = Settings(home=tmp_path, tracking_uri=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(RegistryUnavailable, match="UNDERTONE_TRACKING_URI"), tracking_server(settings):
        pass
