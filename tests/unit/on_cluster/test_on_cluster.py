"""What `undertone up --address` may replace on a cluster, where it asks for its API, and what `down` still knows of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sentiment.errors import InvalidSettings, PlatformError
from sentiment.settings import Settings
from serve_app.on_cluster import application
from serve_app.on_cluster.record import ClusterRecord, read_record
from serve_app.on_cluster.standing import RunningApp, RunningServe, conflicting_apps, refusal
from serve_app.supervisor.process_specs import PlatformStart, process_specs
from serve_app.supervisor.state import PlatformPaths
from serve_app.supervisor.supervisor import refuse_other_cluster

MINE, OTHERS = "instance-of-mine", "instance-of-others"
HEAD = "10.0.0.1"


def app(
    name: str = "undertone", *, declared: bool = False, instance: str | None = None, route: str = "/"
) -> RunningApp:
    return RunningApp(name, route, declared, instance, "RUNNING", "")


def standing(*apps: RunningApp, host: str = "0.0.0.0", port: int = 8000) -> RunningServe:
    return RunningServe(host, port, (HEAD, "10.0.0.2"), apps)


def settings_for(home: Path, **changes: Any) -> Settings:
    return Settings(home=home, **{"address": f"{HEAD}:6379", **changes})


@pytest.mark.parametrize(
    ("stands", "named"),
    [
        (app(declared=True), "undertone at /, started by serve deploy"),
        (app(instance=OTHERS), "undertone at /, started by serve run or another undertone up"),
        (app(declared=True, instance=OTHERS), "undertone at /"),
        (app("shop", route="/"), "shop at /"),
        (app("classifier-v1", route="/x"), "classifier-v1"),
    ],
)
def test_what_stands_in_the_way_on_a_cluster_is_named_and_left_alone_unless_its_owner_says_replace(
    stands: RunningApp, named: str, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path)
    told = refusal(standing(stands), {MINE}, settings, replace=False)
    assert told
    assert named in told
    assert "--replace" in told
    assert refusal(standing(stands), {MINE}, settings, replace=True) is None
    assert conflicting_apps(standing(stands), {MINE}) == [stands], "what is to be ended then"


def test_what_is_this_homes_own_or_in_nobodys_way_is_no_reason_to_refuse(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    assert refusal(None, {MINE}, settings, replace=False) is None
    assert refusal(standing(), {MINE}, settings, replace=False) is None
    assert refusal(standing(app("shop", declared=True, route="/shop")), {MINE}, settings, replace=False) is None
    own = standing(app(instance=MINE), app("classifier-v1", route="/v1"))
    assert refusal(own, {MINE}, settings, replace=False) is None
    assert refusal(own, {OTHERS}, settings, replace=False)


def test_a_port_that_serve_does_not_listen_on_is_told_with_the_one_that_it_does(tmp_path: Path) -> None:
    told = refusal(standing(port=8000), {MINE}, settings_for(tmp_path, port=8100), replace=True)
    assert told
    assert "already listens on port 8000, not on 8100" in told
    assert "--port" in told
    assert refusal(standing(port=8100), {MINE}, settings_for(tmp_path, port=8100), replace=False) is None
    assert refusal(standing(port=8100), {MINE}, settings_for(tmp_path), replace=False) is None


@pytest.mark.parametrize(
    ("host", "own", "apis"),
    [
        ("0.0.0.0", set(), (f"http://{HEAD}:8000", "http://10.0.0.2:8000")),
        ("127.0.0.1", {HEAD}, ("http://127.0.0.1:8000",)),
        ("127.0.0.1", {"10.0.0.9"}, ()),
        ("10.0.0.7", set(), ("http://10.0.0.7:8000",)),
    ],
)
def test_the_api_is_asked_for_where_serve_listens(host: str, own: set[str], apis: tuple[str, ...]) -> None:
    assert standing(host=host).apis(own) == apis


def test_an_application_is_read_from_what_serve_says_of_it() -> None:
    parts = {"Gateway": {"deployment_config": {"user_config": {"instance": MINE}}}}
    known = {"name": "undertone", "route_prefix": "/", "source": "imperative", "status": "RUNNING", "message": ""}
    assert RunningApp.read({**known, "deployments": parts}) == app(instance=MINE)
    assert RunningApp.read({**known, "deployments": {}}).instance is None
    bare = {"Gateway": {"deployment_config": {"user_config": None}}}
    assert RunningApp.read({**known, "source": "declarative", "deployments": bare}) == app(declared=True)


def test_the_page_is_told_where_the_clusters_api_is_once_that_is_known(tmp_path: Path) -> None:
    pytest.importorskip("gradio", reason="the page needs the ui extra")
    settings, places = settings_for(tmp_path), PlatformPaths(tmp_path)
    [page] = [part for part in process_specs(settings, places, "key", PlatformStart(MINE)) if part.name == "ui"]
    assert page.after == "ray"
    assert page.late() == {}
    ClusterRecord(address=HEAD, instance=MINE, apis=("http://10.0.0.1:8000",)).write(places.cluster)
    assert page.late() == {"UNDERTONE_URL": "http://10.0.0.1:8000"}


def test_what_was_deployed_is_read_back_and_a_torn_record_is_none(tmp_path: Path) -> None:
    record, path = ClusterRecord(address=HEAD, instance=MINE, apis=("http://a:1",)), PlatformPaths(tmp_path).cluster
    record.write(path)
    assert read_record(path) == record
    assert path.stat().st_mode & 0o077 == 0
    path.write_text('{"address":')
    assert read_record(path) is None


def test_a_start_elsewhere_waits_for_what_is_left_on_a_cluster(tmp_path: Path) -> None:
    ClusterRecord(address=f"{HEAD}:6379", instance=MINE).write(PlatformPaths(tmp_path).cluster)
    refuse_other_cluster(settings_for(tmp_path), PlatformPaths(tmp_path))
    for elsewhere in (Settings(home=tmp_path), settings_for(tmp_path, address="10.0.0.9:6379")):
        with pytest.raises(PlatformError, match=f"{HEAD}:6379; remove it first: undertone down"):
            refuse_other_cluster(elsewhere, PlatformPaths(tmp_path))


@pytest.mark.parametrize("address", ["http://10.0.0.1:8265", "https://head", "local"])
def test_what_is_no_address_of_a_node_is_refused_before_ray_is_asked(address: str) -> None:
    with pytest.raises(InvalidSettings, match="HOST:6379") as caught:
        application.join(address, {})
    assert address in str(caught.value)
    assert caught.value.field == "UNDERTONE_ADDRESS"


def test_nodes_elsewhere_need_a_registry_that_they_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "own_ips", lambda: {"10.0.0.1"})
    monkeypatch.setattr(application, "node_ips", lambda: {"10.0.0.1", "10.0.0.2"})
    with pytest.raises(InvalidSettings, match=r"10\.0\.0\.2 cannot reach") as caught:
        application.refuse_unreachable_registry(settings_for(tmp_path))
    assert caught.value.field == "UNDERTONE_TRACKING_URI"
    application.refuse_unreachable_registry(settings_for(tmp_path, tracking_uri="http://mlflow:5000"))
    assert application.listening_host(settings_for(tmp_path)) == "0.0.0.0"
    assert application.listening_host(settings_for(tmp_path, host="10.0.0.1")) == "10.0.0.1"
    monkeypatch.setattr(application, "node_ips", lambda: {"10.0.0.1"})
    application.refuse_unreachable_registry(settings_for(tmp_path))
    assert application.listening_host(settings_for(tmp_path)) == "127.0.0.1"


def test_the_application_is_told_of_the_registry_and_of_no_secret(tmp_path: Path) -> None:
    told = application.environment_on(settings_for(tmp_path, secret="s" * 40, mlflow_port=5001))
    assert told["UNDERTONE_TRACKING_URI"] == "http://127.0.0.1:5001"
    assert "s" * 40 not in str(told)
