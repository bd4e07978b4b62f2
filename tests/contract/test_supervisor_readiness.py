"""When a part of the platform is ready: once its own server answers at its address, not another's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sentiment.environment import process_environment
from sentiment.settings import Settings
from serve_app.supervisor import processes
from serve_app.supervisor.probe import Address, answers
from serve_app.supervisor.process_specs import PlatformStart, process_specs
from serve_app.supervisor.state import PlatformPaths
from tests.free_ports import free_port

ANSWERS_ALL = [
    sys.executable,
    "-c",
    """
import http.server, sys
class All(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), All)
print("up", flush=True)
server.serve_forever()
""",
]


@pytest.mark.parametrize("part", ["mlflow", "ui"])
@pytest.mark.parametrize("is_own", [True, False])
def test_a_part_is_ready_when_its_own_server_answers_not_anothers(tmp_path: Path, part: str, is_own: bool) -> None:
    if part == "ui":
        pytest.importorskip("gradio", reason="the page needs the ui extra")
    port = free_port()
    settings = Settings(home=tmp_path, mlflow_port=port, ui_port=port)
    [watched] = [
        each
        for each in process_specs(settings, PlatformPaths(tmp_path), None, PlatformStart("one"))
        if each.name == part
    ]
    marker = processes.marker_of(tmp_path if is_own else tmp_path / "other", part)
    environment = process_environment(settings, marker)
    with subprocess.Popen([*ANSWERS_ALL, str(port)], env=environment, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout
            assert server.stdout.readline()
            assert answers(Address("127.0.0.1", port), "/health")
            assert watched.ready() == is_own
        finally:
            server.kill()
