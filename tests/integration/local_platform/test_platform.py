"""The local platform as a user meets it: up, status, keys, a taken port, a kill, down."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest

from sentiment.priority import JOB_NICENESS
from serve_app.supervisor.ingress.haproxy_config import installed_haproxy
from serve_app.supervisor.processes import own_processes, port_is_free
from serve_app.supervisor.state import PlatformPaths
from tests.running_platform import RunningPlatform, command, environment_in

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

LOOPBACK = ("127.0.0.1", "::1", "::ffff:127.0.0.1")


def listening(processes: list[psutil.Process]) -> dict[tuple[str, int], str]:
    """Return the name of the process behind each address that one of `processes` listens on."""
    found: dict[tuple[str, int], str] = {}
    for process in processes:
        for connection in process.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN:
                found[(connection.laddr.ip, connection.laddr.port)] = process.name()
    return found


def test_status_tells_parts_and_addresses(platform: RunningPlatform) -> None:
    said = json.loads(command(platform.environment, "status", "--json").stdout)
    assert said["healthy"]
    assert said["state"]["phase"] == "running"
    assert said["state"]["addresses"]["API"] == platform.url
    assert {name: part["phase"] for name, part in said["state"]["parts"].items()} == {
        "ray": "ready",
        "ui": "ready",
        "ingest": "ready",
        "model": "done",
        "mlflow": "ready",
    }
    assert said["state"]["example"]["label"] == "positive"
    assert httpx.get(said["state"]["addresses"]["Page"]).status_code == 200


def test_up_when_it_is_up_says_so_and_starts_nothing(platform: RunningPlatform) -> None:
    before = {process.pid for process in own_processes(platform.home)}
    assert "is up already" in command(platform.environment, "up").stdout
    assert {process.pid for process in own_processes(platform.home)} == before


def test_what_serves_has_the_priority_of_all_else_on_the_machine(platform: RunningPlatform) -> None:
    deployments = ("Gateway", "Preprocessor", "Classifier", "Sink", "RolloutController")
    serving = [replica for deployment in deployments for replica in platform.replicas(deployment)]
    indexing = platform.replicas("Insight")
    ingress = [process for process in own_processes(platform.home) if process.name() == "haproxy"]

    assert len(serving) >= len(deployments)
    assert {thread_niceness for process in serving for thread_niceness in niceness_of(process)} == {os.nice(0)}
    assert [process.nice() for process in indexing] == [os.nice(0)]
    assert niceness_of(indexing[0]) <= {os.nice(0), JOB_NICENESS}  # a thread that makes the index anew gives way
    assert bool(ingress) == (installed_haproxy() is not None)
    assert {process.nice() for process in ingress} <= {os.nice(0)}


def niceness_of(process: psutil.Process) -> set[int]:
    """Return the niceness of a process's threads."""
    return {os.getpriority(os.PRIO_PROCESS, thread.id) for thread in process.threads()}


def test_the_shipped_model_is_version_1_and_champion(platform: RunningPlatform) -> None:
    listed = json.loads(command(platform.environment, "models", "list", "--json").stdout)
    assert [(version["version"], version["aliases"], version["origin"]) for version in listed] == [
        (1, ["champion"], "shipped")
    ]


def test_a_text_is_in_the_timeline_soon_and_leaves_it_when_it_is_deleted(platform: RunningPlatform) -> None:
    items = [{"text": f"Wombats are wonderful, all {n} of them", "id": f"wombat-{n}"} for n in range(3)]
    assert httpx.post(f"{platform.url}/v1/predict/batch", json={"items": items}, timeout=30).status_code == 200
    found = found_within(platform, "wombats", texts=3, within_s=15)
    assert found["sentiment"] > 0.5
    assert [point["versions"]["1"]["count"] for point in found["points"] if point["count"]] == [3]
    unchanged = {"If-None-Match": httpx.get(f"{platform.url}/v1/insights/top?q=wombats").headers["ETag"]}
    assert httpx.get(f"{platform.url}/v1/insights/top?q=wombats", headers=unchanged).status_code == 304
    assert "3 texts" in command(platform.environment, "insight", "timeline", "wombats and wonderful").stdout

    assert httpx.delete(f"{platform.url}/v1/texts/wombat-1", timeout=30).status_code == 204
    found_within(platform, "wombats", texts=2, within_s=15)
    told = httpx.get(f"{platform.url}/v1/insights/top?q=wombats", timeout=30).json()
    assert {text["id"] for text in told["texts"]} == {"wombat-0", "wombat-2"}


def test_a_killed_index_comes_back_and_has_what_came_meanwhile(platform: RunningPlatform) -> None:
    killed = platform.replicas("Insight")
    assert killed
    for process in killed:
        process.send_signal(signal.SIGKILL)
    items = [{"text": f"Numbats nibble {n} termites"} for n in range(5)]
    assert httpx.post(f"{platform.url}/v1/predict/batch", json={"items": items}, timeout=30).status_code == 200
    found_within(platform, "numbats nibble", texts=5, within_s=60)
    found_within(platform, "wombats", texts=2, within_s=1)


def found_within(platform: RunningPlatform, search: str, *, texts: int, within_s: float) -> dict[str, Any]:
    """Wait until a search finds so many texts, and return its timeline."""
    deadline = time.monotonic() + within_s
    while True:
        answer = httpx.get(f"{platform.url}/v1/insights/timeline", params={"q": search}, timeout=30)
        if answer.status_code == 200 and answer.json()["total"] == texts:
            return dict(answer.json())
        assert time.monotonic() < deadline, answer.text[:500]
        time.sleep(0.2)


def test_an_ingest_of_the_platform_outlives_its_process_and_keeps_each_row_once(platform: RunningPlatform) -> None:
    rows = [f"Quokka number {n} smiles,{1_242_000_000 + n // 2}" for n in range(600)]  # five minutes of the source
    (platform.home / "files").mkdir(exist_ok=True)
    (platform.home / "files" / "quokkas.csv").write_text("\n".join(["text,at", *rows, ",1242000300"]))
    asked = ("--time-column", "at", "--speed", "60x", "--name", "quokkas")
    command(platform.environment, "ingest", "csv", "quokkas.csv", *asked, "--background")
    ingest_when(platform, "quokkas", lambda ingest: ingest["read"] > 0)
    states = json.loads(command(platform.environment, "status", "--json").stdout)["state"]["parts"]
    os.kill(states["ingest"]["pid"], signal.SIGKILL)
    ended = ingest_when(platform, "quokkas", lambda ingest: ingest["state"] == "finished")
    assert (ended["read"], ended["kept"], ended["rejected"], ended["expected"]) == (601, 600, 1, 601)
    found = found_within(platform, "quokka", texts=600, within_s=15)
    assert found["from_ms"] <= 1_242_000_000_000 < found["to_ms"]
    assert "quokkas" in command(platform.environment, "ingest", "list").stdout


def ingest_when(platform: RunningPlatform, name: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait until something holds of an ingest, and return it."""
    deadline = time.monotonic() + 60
    while True:
        ingest = httpx.get(f"{platform.url}/v1/ingests/{name}", timeout=30).json()
        if holds(ingest):
            return dict(ingest)
        assert time.monotonic() < deadline, ingest
        time.sleep(0.2)


def test_a_port_in_use_is_named_with_its_holder_and_the_option(platform: RunningPlatform, tmp_path: Path) -> None:
    other = environment_in(tmp_path / "other", port=platform.port)
    failed = command(other, "up", check=False)
    assert failed.returncode == 1
    said = " ".join(failed.stderr.split())
    assert f"port {platform.port} is in use by haproxy" in said
    assert "--port" in said
    assert own_processes(tmp_path / "other") == []


def test_nothing_of_it_answers_beyond_loopback_without_a_key_or_the_token(platform: RunningPlatform) -> None:
    beyond = {
        address: name for address, name in listening(own_processes(platform.home)).items() if address[0] not in LOOPBACK
    }
    strangers = {address: name for address, name in beyond.items() if not name.startswith("ray::")}
    assert not strangers, "only Ray's actors, which ask for the token, may listen beyond loopback"
    assert beyond, "replicas speak gRPC on all interfaces; if that has changed, this test may go"
    for (_, port), name in beyond.items():
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary("/ray.serve.ASGIService/HandleRequest")(b"", timeout=5)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED, name


@pytest.mark.parametrize(("asked", "kept"), [("my-request.1", True), ("caf\xe9", False), ("a b", False)])
def test_a_request_id_comes_back_or_one_is_made(platform: RunningPlatform, asked: str, kept: bool) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=10)
    connection.request("GET", "/healthz", headers={"X-Request-Id": asked})
    answer = connection.getresponse()
    connection.close()
    assert answer.status == 200
    assert (answer.headers["X-Request-Id"] == asked) is kept
    assert len(answer.headers["X-Request-Id"]) >= 12


@pytest.mark.parametrize("path", ["/-/routes", "/-/healthz", "/%2d/routes", "/-/ROUTES", "/./-/routes"])
def test_serves_own_pages_are_not_served(platform: RunningPlatform, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=10)
    connection.request("GET", path)
    assert connection.getresponse().status == 404
    connection.close()


def test_keys_are_made_listed_and_revoked(platform: RunningPlatform) -> None:
    made = json.loads(command(platform.environment, "keys", "add", "shop", "--scope", "predict", "--json").stdout)
    assert made["key"].startswith("ut_")
    listed = command(platform.environment, "keys", "list", "--json").stdout
    assert [key["name"] for key in json.loads(listed)] == ["shop"]
    assert made["key"] not in listed
    command(platform.environment, "keys", "revoke", "shop")
    again = command(platform.environment, "keys", "revoke", "shop", check=False)
    assert again.returncode == 1
    assert "Error:" in again.stderr
    assert "Traceback" not in again.stderr


def slow_stream(port: int, lines: int, pause_s: float, answers: list[dict[str, object]]) -> None:
    """Send an NDJSON stream slowly, as one request, and collect the answers."""

    def body() -> Iterator[bytes]:
        for number in range(lines):
            yield json.dumps({"text": f"I love this number {number}"}).encode() + b"\n"
            time.sleep(pause_s)

    with httpx.stream("POST", f"http://127.0.0.1:{port}/v1/predict/stream", content=body(), timeout=60) as response:
        answers.extend(json.loads(line) for line in response.iter_lines() if line)


def test_it_recovers_from_a_killed_supervisor(platform: RunningPlatform) -> None:
    supervisor = json.loads(command(platform.environment, "status", "--json").stdout)["state"]["pid"]
    psutil.Process(supervisor).send_signal(signal.SIGKILL)
    psutil.wait_procs([psutil.Process(supervisor)] if psutil.pid_exists(supervisor) else [], timeout=10)
    assert "without a supervisor" in command(platform.environment, "status", check=False).stdout
    said = command(platform.environment, "up").stdout
    assert "an earlier run had left" in said
    assert "positive" in said


def test_while_no_gateway_lives_the_api_says_unavailable_at_worst(platform: RunningPlatform) -> None:
    killed = platform.replicas("Gateway")
    assert killed
    for gateway in killed:
        gateway.send_signal(signal.SIGKILL)
    deadline, answered = time.monotonic() + 90, 0
    while answered < 20 or not platform.replicas("Gateway"):
        assert time.monotonic() < deadline
        with contextlib.suppress(httpx.TransportError):  # a connection to the gateway that died
            answer = httpx.post(f"{platform.url}/v1/predict", json={"text": "I love it"}, timeout=30)
            assert answer.status_code == 200 or answer.json()["error"]["code"] == "unavailable", answer.text
            answered = answered + 1 if answer.status_code == 200 else 0


def test_it_goes_down_after_answering_what_is_in_flight_and_leaves_nothing(platform: RunningPlatform) -> None:
    answers: list[dict[str, object]] = []
    sender = threading.Thread(target=slow_stream, args=(platform.port, 12, 0.5, answers))
    sender.start()
    time.sleep(2)
    command(platform.environment, "down")
    sender.join(timeout=60)
    assert [answer.get("label") for answer in answers] == ["positive"] * 12

    assert own_processes(platform.home) == []
    for name, port in platform.environment.items():
        if name.endswith("PORT") and name.startswith("UNDERTONE_"):
            assert port_is_free("127.0.0.1", int(port)), name
    places = PlatformPaths(platform.home)
    assert not places.run.exists()
    assert not places.lock.exists()
    assert not places.state.exists()
    assert command(platform.environment, "down").stdout.startswith("No platform runs")
