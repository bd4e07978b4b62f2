"""Whose API answers at an address of this machine: the one that names the start which is asked for, no other."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sentiment.settings import Settings
from serve_app.edge_contract import instance_headers
from serve_app.on_cluster.record import ClusterRecord
from serve_app.supervisor import launch
from serve_app.supervisor.probe import Address, is_instance
from serve_app.supervisor.process_specs import PlatformStart, answering_api, process_specs
from serve_app.supervisor.state import PlatformPaths
from serve_app.supervisor.supervisor import StateReport

MINE, OTHERS = "instance-of-mine", "instance-of-others"
HEAD = "10.0.0.1"


class Platform(http.server.BaseHTTPRequestHandler):
    """Answers everything well, as some platform does; `instance` says which."""

    instance = ""

    def do_GET(self) -> None:
        self.send_response(200)
        for name, value in instance_headers(self.instance).items():
            self.send_header(name.upper(), value)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[Address]:
    """Yield where another's platform answers, on this very machine."""
    monkeypatch.setattr(Platform, "instance", OTHERS)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Platform)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Address("127.0.0.1", server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()


def test_another_platform_that_answers_here_is_not_taken_for_the_clusters(
    platform: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, places = Settings(home=tmp_path, address=f"{HEAD}:6379", port=platform.port), PlatformPaths(tmp_path)
    assert answering_api(settings, places, MINE) is None
    ClusterRecord(address=HEAD, instance=MINE, apis=("http://127.0.0.1:1", platform.url)).write(places.cluster)
    assert answering_api(settings, places, MINE) is None
    monkeypatch.setattr(Platform, "instance", MINE)
    assert answering_api(settings, places, MINE) == platform


def test_another_platform_that_answers_here_is_not_taken_for_this_homes(
    platform: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, places = Settings(home=tmp_path, port=platform.port), PlatformPaths(tmp_path)
    places.make()
    [ray] = [part for part in process_specs(settings, places, None, PlatformStart(MINE)) if part.name == "ray"]
    StateReport(places, settings, MINE).write("running")
    assert not ray.ready()
    assert not launch.read_status(settings).healthy
    monkeypatch.setattr(Platform, "instance", MINE)
    assert ray.ready()
    assert launch.read_status(settings).healthy


@pytest.mark.parametrize("instance", ["", OTHERS])
def test_an_api_that_names_no_start_or_another_is_no_instance(
    platform: Address, instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Platform, "instance", instance)
    assert not is_instance(platform, MINE)
    assert not is_instance(platform, ""), "a state without a name proves nothing"
