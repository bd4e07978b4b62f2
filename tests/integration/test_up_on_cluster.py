"""`undertone up --address` on a cluster that `ray start` made: secrets, what stands there, kills, and `down`."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from serve_app.on_cluster.record import ClusterRecord, read_record
from serve_app.supervisor.processes import own_processes
from serve_app.supervisor.state import PlatformPaths
from tests.contract.nx_server import NxServer
from tests.free_ports import free_port
from tests.ray_head import TOKEN, RayHead
from tests.ray_metadata import places_that_show, program

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
SECRET, MONGO, MLFLOW, LOGIN = (f"sesame-{name}-" + "k" * 32 for name in ("hmac", "mongo", "mlflow", "login"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def secrets(folder: Path) -> Iterator[dict[str, str]]:
    """Yield secrets as the environment of nodes and commands has them; the store's address is one."""
    store = NxServer(folder)
    store.start()
    (folder / "hmac").write_text(f"{SECRET}\n")
    yield {
        "UNDERTONE_SECRET_FILE": str(folder / "hmac"),
        "UNDERTONE_MONGO_URI": f"{store.uri}?appName={MONGO}",
        "UNDERTONE_UI_LOGIN": f"jane:{LOGIN}",
        "MLFLOW_TRACKING_USERNAME": "jane",
        "MLFLOW_TRACKING_PASSWORD": MLFLOW,
    }
    store.kill()


@pytest.fixture(scope="module")
def head(folder: Path, secrets: dict[str, str]) -> Iterator[RayHead]:
    ports = {f"UNDERTONE_{name}": str(free_port()) for name in ("PORT", "UI_PORT", "MLFLOW_PORT")}
    known = {name: value for name, value in os.environ.items() if not name.startswith("UNDERTONE_")}
    cluster = RayHead(folder, {**known, **secrets, **ports, "UNDERTONE_HOME": str(folder / "home")}, cpus=4)
    yield cluster
    undertone(cluster, "down")
    cluster.stop()
    for process in own_processes(folder / "home"):
        process.kill()


def undertone(head: RayHead, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run the command; return its exit status and what it said."""
    process = head.run(*arguments, **environment)
    said = "".join(process.communicate(timeout=400))
    return process.returncode, " ".join(said.split())


def served(head: RayHead) -> dict[str, str]:
    """Return the applications that Serve runs on the cluster, and where each comes from."""
    answer = httpx.get(
        f"{head.address}/api/serve/applications/", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30
    )
    return {name: app["source"] for name, app in answer.json()["applications"].items() if app["status"] != "DELETING"}


def recorded(home: Path) -> ClusterRecord:
    record = read_record(PlatformPaths(home).cluster)
    assert record
    return record


def test_up_is_ready_when_the_clusters_own_api_answers(head: RayHead, folder: Path) -> None:
    status, said = undertone(head, "up", "--address", head.gcs_address)
    assert status == 0, said
    assert "positive" in said
    told = json.loads(head.run("status", "--json").communicate(timeout=60)[0])
    assert told["healthy"]
    assert (told["state"]["addresses"]["API"],) == recorded(folder / "home").apis
    assert served(head) == {"undertone": "imperative", "classifier-v1": "imperative"}


def test_none_of_rays_apis_nor_its_logs_show_a_secret(head: RayHead) -> None:
    undertone(head, "train", "--data", "nothing@1", "--model", "minilm", "--address", head.address)  # leaves a job
    shown = places_that_show(head, "UNDERTONE_REQUIRED")  # it travels as secrets would
    for place in ("serve/applications", "v0/actors", "v0/runtime_envs", "key-value store and ray.util.state"):
        assert any(place in each for each in shown), f"{place} is not read: {shown}"
    assert "/api/jobs/" in places_that_show(head, "train_jobs.train")
    for secret in (SECRET, MONGO, MLFLOW, LOGIN):
        assert places_that_show(head, secret) == []


def test_another_homes_platform_is_not_replaced(head: RayHead, folder: Path) -> None:
    before = recorded(folder / "home")
    ports = {f"UNDERTONE_{name}": str(free_port()) for name in ("UI_PORT", "MLFLOW_PORT")}
    other = str(folder / "other")
    status, said = undertone(head, "up", "--address", head.gcs_address, UNDERTONE_HOME=other, **ports)
    assert status == 1
    assert "already runs undertone at /, started by serve run or another undertone up" in said
    assert "--replace" in said
    assert own_processes(folder / "other") == []
    assert recorded(folder / "home") == before
    assert httpx.get(f"{before.apis[0]}/healthz").headers["X-Undertone-Instance"] == before.instance


def test_down_ends_what_a_killed_platform_has_left_on_the_cluster(head: RayHead, folder: Path) -> None:
    home = folder / "home"
    for process in [*own_processes(home, "supervisor"), *own_processes(home, "ray")]:
        process.kill()
    assert "undertone" in served(head), "Serve goes on without its deployer"
    status, said = undertone(head, "down")
    assert (status, said) == (0, "The platform is down.")
    assert served(head) == {}
    assert own_processes(home) == []
    assert not PlatformPaths(home).cluster.exists()
    assert undertone(head, "down")[1].startswith("No platform runs")


@pytest.mark.parametrize("wait_for", ["process", "record", "application"])
def test_down_in_the_middle_of_up_leaves_nothing(head: RayHead, folder: Path, wait_for: str) -> None:
    home, up = folder / "home", head.run("up", "--address", head.gcs_address)
    seen = {
        "process": lambda: bool(own_processes(home, "ray")),
        "record": PlatformPaths(home).cluster.exists,
        "application": lambda: "undertone" in served(head),
    }[wait_for]
    until = time.monotonic() + 120
    while not seen():
        assert time.monotonic() < until
        time.sleep(0.05)
    assert undertone(head, "down") == (0, "The platform is down.")
    up.communicate(timeout=60)
    assert up.returncode == 1
    assert served(head) == {}
    assert own_processes(home) == []
    assert not PlatformPaths(home).cluster.exists()


def test_a_configuration_that_serve_deploy_made_is_not_replaced(head: RayHead, folder: Path) -> None:
    config = ROOT / "kuberay" / "serve-config.yaml"
    deploy = [program("serve"), "deploy", "-a", head.address, str(config)]
    until = time.monotonic() + 60  # the dashboard may still hold on to the Serve that has just been shut down
    while (
        done := subprocess.run(deploy, env=head.environment, check=False, timeout=120, capture_output=True)
    ).returncode:
        assert time.monotonic() < until, done.stderr.decode()
        time.sleep(2)
    status, said = undertone(head, "up", "--address", head.gcs_address, UNDERTONE_PORT="8000")
    assert status == 1
    assert "undertone at /, started by serve deploy" in said
    assert served(head)["undertone"] == "declarative"
    assert undertone(head, "down")[0] == 0
    assert served(head)["undertone"] == "declarative"


def test_a_node_without_a_secret_names_it(folder: Path, secrets: dict[str, str], tmp_path: Path) -> None:
    ports = {f"UNDERTONE_{name}": str(free_port()) for name in ("PORT", "UI_PORT", "MLFLOW_PORT")}
    cluster = RayHead(tmp_path, {"UNDERTONE_HOME": str(tmp_path / "home"), **ports}, cpus=4)
    try:
        status, said = undertone(cluster, "up", "--address", cluster.gcs_address, **secrets)
        assert status == 1
        assert "UNDERTONE_MONGO_URI is not set on this node" in said
        assert served(cluster) == {}
    finally:
        undertone(cluster, "down")
        cluster.stop()
