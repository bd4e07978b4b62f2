"""What the supervisor knows of the machine: its processes, its ports, its files, HAProxy's configuration."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from sentiment.access.secret import secret_of
from sentiment.environment import process_environment
from sentiment.errors import PlatformError
from sentiment.settings import Settings
from serve_app.edge_contract import ARRIVAL_HEADER, stamp_of
from serve_app.supervisor import processes
from serve_app.supervisor.ingress.haproxy_config import write_wrapper
from serve_app.supervisor.ingress.haproxy_drain import drain_haproxy
from serve_app.supervisor.ports import needed_ports, refuse_taken_ports
from serve_app.supervisor.state import PlatformPaths, PlatformState, read_state, sole_supervisor
from tests.free_ports import free_ports

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]

WRITTEN_BY_SERVE = """defaults
    errorfile 503 /tmp/serve/500.http
frontend prometheus
    bind :9101
    mode http
    no log
frontend http_frontend
    bind 127.0.0.1:8000
    # Health check endpoint
listen stats
  bind *:8404
"""


def marked(home: Path, part: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(SLEEP, env=process_environment(Settings(), processes.marker_of(home, part)))


def test_only_marked_processes_are_the_platforms_own(tmp_path: Path) -> None:
    other_home = tmp_path / "other"
    started = [marked(tmp_path, "ui"), marked(tmp_path, "ray"), marked(other_home, "ui"), subprocess.Popen(SLEEP)]
    try:
        own = {process.pid for process in processes.own_processes(tmp_path)}
        assert own == {started[0].pid, started[1].pid}
        assert [process.pid for process in processes.own_processes(tmp_path, "ray")] == [started[1].pid]
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_a_process_that_does_not_heed_is_ended_after_its_grace(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    assert child.stdout
    child.stdout.readline()
    processes.end([psutil.Process(child.pid)], grace_s=0.2)
    assert not psutil.pid_exists(child.pid)
    child.stdout.close()
    child.wait()


def test_a_process_id_that_another_process_bears_now_is_not_the_same() -> None:
    me = psutil.Process()
    assert processes.is_alive(me.pid, me.create_time())
    assert not processes.is_alive(me.pid, me.create_time() - 100)


def test_a_taken_port_names_its_holder_and_the_option() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PlatformError) as caught:
            refuse_taken_ports(Settings(port=port))
        others = dict(zip(("port", "dashboard_port", "fallback_port", "ui_port"), free_ports(4), strict=True))
        with pytest.raises(PlatformError, match=f"set UNDERTONE_TRACKING_URI=http://127.0.0.1:{port}"):
            refuse_taken_ports(Settings(mlflow_port=port, **others))
    message = str(caught.value)
    assert "UNDERTONE_TRACKING_URI" not in message
    assert f"port {port} is in use by" in message
    assert f"(pid {os.getpid()})" in message
    assert "--port" in message
    assert "UNDERTONE_PORT" in message


def test_a_platform_with_other_servers_needs_no_ports_for_them() -> None:
    mine = needed_ports(Settings(tracking_uri="http://registry:5000", address="ray://cluster:10001"))
    assert "mlflow_port" not in mine
    assert "dashboard_port" not in mine
    assert "mlflow_port" in needed_ports(Settings())


@pytest.mark.parametrize(
    ("host", "frontend"),
    [("127.0.0.1", "bind 127.0.0.1:8000"), ("0.0.0.0", "bind 0.0.0.0:8000"), ("::", "bind ipv6@:::8000")],
)
def test_haproxy_opens_its_frontend_alone(tmp_path: Path, host: str, frontend: str) -> None:
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text(WRITTEN_BY_SERVE)
    wrapper = write_wrapper(tmp_path / "run", Settings(host=host, home=tmp_path), "echo")
    done = subprocess.run(
        [wrapper, "-db", "-f", configuration, "-sf", "12"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"-db -f {configuration} -sf 12\n"
    lines = [line.strip() for line in configuration.read_text().splitlines()]
    binds = [line for line in lines if line.startswith("bind")]
    assert binds == [frontend, "bind 127.0.0.1:8404"]
    assert f"errorfile 503 {tmp_path / 'run' / 'unavailable.http'}" in lines
    after = lines[lines.index(frontend) + 1]
    assert after == "http-request deny deny_status 404 if { path,url_dec -m beg -i /-/ }"


def test_haproxy_names_each_request_as_the_gateway_expects_it(tmp_path: Path) -> None:
    configuration, settings = tmp_path / "haproxy.cfg", Settings(home=tmp_path)
    configuration.write_text(WRITTEN_BY_SERVE)
    subprocess.run([write_wrapper(tmp_path / "run", settings, "true"), "-f", configuration], check=True)
    rule = f"http-request set-header {ARRIVAL_HEADER} {stamp_of(secret_of(settings))}.%[date(0,ms)].%[uuid]"
    assert rule in [line.strip() for line in configuration.read_text().splitlines()]


def test_only_one_supervisor_holds_a_platform(tmp_path: Path) -> None:
    places = PlatformPaths(tmp_path)
    with (
        sole_supervisor(places),
        pytest.raises(PlatformError, match="already has a supervisor"),
        sole_supervisor(places),
    ):
        pass
    with sole_supervisor(places):
        assert places.lock.exists()


def test_the_folders_of_a_platform_are_its_owners_alone_and_go_with_it(tmp_path: Path) -> None:
    places = PlatformPaths(tmp_path / "home")
    places.make()
    for folder in (places.home, places.run, places.logs):
        assert folder.stat().st_mode & 0o077 == 0
    assert places.ray_token.stat().st_mode & 0o077 == 0
    token = places.ray_token.read_text()
    places.make()
    assert places.ray_token.read_text() == token
    places.forget()
    assert not places.run.exists()


def test_a_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    places = PlatformPaths(tmp_path / "home")
    places.run.mkdir(mode=0o777)
    places.run.chmod(0o777)
    try:
        with pytest.raises(PlatformError, match="not private to this user"):
            places.make()
    finally:
        places.run.rmdir()


def test_what_the_supervisor_wrote_is_read_back_and_a_torn_file_is_nothing(tmp_path: Path) -> None:
    places = PlatformPaths(tmp_path)
    assert read_state(places) is None
    state = PlatformState(pid=1, created=2.0, started_at_s=3.0, found=["something"])
    state.write(places.state)
    assert read_state(places) == state
    places.state.write_text('{"pid": 1')
    assert read_state(places) is None


class AdminSocket(socketserver.BaseRequestHandler):
    """The commands of an HAProxy without requests; at the third look the one before it ends, all answered."""

    def handle(self) -> None:
        command = self.request.recv(1024)
        if command == b"show sess\n":
            self.server.looks += 1
            if self.server.looks == 3:
                self.server.earlier.terminate()
                self.server.earlier.wait()


def test_an_haproxy_that_was_replaced_may_answer_what_it_has_before_all_are_ended(tmp_path: Path) -> None:
    binary = tmp_path / "haproxy"
    binary.symlink_to(shutil.which("sleep") or "/bin/sleep")
    doors = [psutil.Popen([binary, "60"]) for _ in range(2)]
    with socketserver.ThreadingUnixStreamServer(str(tmp_path / "admin"), AdminSocket) as admin:
        admin.looks, admin.earlier = 0, doors[0]
        threading.Thread(target=admin.serve_forever, daemon=True).start()
        drain_haproxy(doors, tmp_path / "admin", patience_s=30.0)
        admin.shutdown()
    assert [door.wait(timeout=10) for door in doors] == [-signal.SIGTERM, -signal.SIGKILL]
