"""The contract of every model registry: the one on MLflow, and the fake that other tests use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from sentiment.errors import Conflict, ModelRejected, NotFound, RegistryUnavailable
from sentiment.registry import (
    Lineage,
    ModelRegistry,
    Registry,
    Server,
    champion_of,
    fetch_version,
    server_at,
    sync_shipped,
)
from sentiment.registry.tracking import Tracker
from sentiment.settings import Settings
from sentiment.version import Version, read_version
from serve_app.supervisor.probe import Address, answers
from tests.fake_registry import FakeRegistry
from tests.free_ports import free_port
from tests.tiny_model import build_tiny_version
from train_jobs.versions.register import register

NAME = "sentiment"
ON_MLFLOW = pytest.param("mlflow", marks=[pytest.mark.integration, pytest.mark.timeout(300)])


@pytest.fixture
def mlflow_uri(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    stores = [
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/mlflow.db",
        "--artifacts-destination",
        f"{tmp_path}/artifacts",
    ]
    listen = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", "mlflow", "server", *listen, *stores]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, env={**os.environ, **quiet}, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 120
        while not answers(Address("127.0.0.1", port), "/health"):
            assert time.monotonic() < until, (tmp_path / "log").read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        family = [*psutil.Process(server.pid).children(recursive=True), psutil.Process(server.pid)]
        for process in family:
            process.kill()
        server.wait()


@pytest.fixture(params=["fake", ON_MLFLOW])
def registry(request: pytest.FixtureRequest) -> Iterator[ModelRegistry]:
    if request.param == "mlflow":
        yield Registry(request.getfixturevalue("mlflow_uri"))
        return
    fake = FakeRegistry()
    yield fake
    fake.close()


def version_in(folder: Path, marker: str) -> Version:
    return read_version(build_tiny_version(folder / marker, version_marker=marker))


def test_a_registry_keeps_versions_aliases_and_files(registry: ModelRegistry, tmp_path: Path) -> None:
    assert registry.versions(NAME) == []
    one, two = version_in(tmp_path, "one"), version_in(tmp_path, "two")
    assert registry.register(one, "trained") == 1
    assert registry.register(two, "imported") == 2
    listed = registry.versions(NAME)
    assert [(known.version, known.digest, known.origin) for known in listed] == [
        (1, one.digest, "trained"),
        (2, two.digest, "imported"),
    ]
    assert listed[0].labels == one.manifest.labels
    assert champion_of(listed) is None

    registry.set_alias(NAME, "champion", 1)
    registry.set_alias(NAME, "challenger", 2)
    registry.set_alias(NAME, "champion", 2)
    assert [known.aliases for known in registry.versions(NAME)] == [(), ("challenger", "champion")]
    assert registry.versions("sentiment-reviews") == []

    target = tmp_path / "fetched"
    target.mkdir()
    registry.download(NAME, 2, target)
    assert read_version(target).digest == two.digest

    with pytest.raises(NotFound):
        registry.set_alias(NAME, "champion", 99)
    with pytest.raises(NotFound):
        registry.download(NAME, 99, tmp_path / "none")


def test_a_registry_keeps_tags_and_takes_aliases_away(registry: ModelRegistry, tmp_path: Path) -> None:
    made = version_in(tmp_path, "one")
    assert registry.register(made, "trained", {"dataset": "tweets@3", "gate.self_check": "passed"}) == 1
    registry.tag(NAME, 1, {"gate.self_check": "failed", "gate.fairness": "passed"})
    known = registry.versions(NAME)[0]
    assert dict(known.tags) == {"dataset": "tweets@3", "gate.self_check": "failed", "gate.fairness": "passed"}
    assert (known.digest, known.metrics) == (made.digest, {"tweeteval_test_macro_recall": 0.5})
    with pytest.raises(NotFound):
        registry.tag(NAME, 99, {"gate.fairness": "passed"})

    registry.set_alias(NAME, "challenger", 1)
    registry.remove_alias(NAME, "challenger")
    assert registry.versions(NAME)[0].aliases == ()
    with pytest.raises(NotFound, match="challenger"):
        registry.remove_alias(NAME, "challenger")


@pytest.mark.parametrize("registry", [FakeRegistry, lambda: Registry("http://127.0.0.1:9")], ids=["fake", "mlflow"])
def test_files_that_changed_after_they_were_read_are_not_registered(registry, tmp_path: Path) -> None:
    one, two = version_in(tmp_path, "one"), version_in(tmp_path, "two")
    (one.folder / "README.md").write_text("# Another card\n")
    with pytest.raises(ModelRejected, match=r"README\.md"):
        registry().register(one, "trained")
    build_tiny_version(two.folder, version_marker="three")
    with pytest.raises(ModelRejected, match=two.digest[:12]):
        registry().register(two, "trained")


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_what_a_run_made_is_downloaded_with_its_lineage_and_a_strangers_version_is_no_champion(
    mlflow_uri: str, tmp_path: Path
) -> None:
    from mlflow import MlflowClient

    registry, client, made = Registry(mlflow_uri), MlflowClient(mlflow_uri, mlflow_uri), version_in(tmp_path, "one")
    run, empty = (client.create_run(client.create_experiment(name)) for name in ("one", "two"))
    client.log_param(run.info.run_id, "data", "tweets@3")
    client.set_tag(run.info.run_id, "git_commit", "c0ffee")
    client.log_artifacts(run.info.run_id, str(made.folder), "version")
    found = registry.download_run(run.info.run_id, tmp_path / "fetched")
    assert read_version(found.folder).digest == made.digest
    assert found.lineage == Lineage(dataset="tweets@3", git_commit="c0ffee", run_id=run.info.run_id)
    registered = register(registry, run.info.run_id)
    assert (registered.version, registered.tags["run_id"]) == (1, run.info.run_id)
    for run_id in (empty.info.run_id, "0" * 32):
        with pytest.raises(NotFound):
            registry.download_run(run_id, tmp_path / "nothing")

    stranger = {"digest": "0" * 64, "labels": '["negative", "positive"]', "origin": "imported"}
    known = client.get_model_version(NAME, "1")
    number = client.create_model_version(
        NAME, known.source, tags=stranger, model_id=known.source.removeprefix("models:/")
    ).version
    with pytest.raises(Conflict, match="neutral"):
        registry.set_alias(NAME, "champion", int(number))
    assert champion_of(registry.versions(NAME)) is None


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_the_highest_point_of_a_runs_curve_is_told(mlflow_uri: str) -> None:
    tracker = Tracker(mlflow_uri)
    run = tracker.run("toys", {}, {})
    for step, value in enumerate((2.0, 7.5, 3.0)):
        run.log({"memory": value}, step)
    assert tracker.highest(run.run_id, "memory") == 7.5
    assert tracker.highest(run.run_id, "another") == 0.0


def test_the_shipped_model_is_registered_once_and_leaves_a_users_choice_alone(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    old, new, own = (version_in(tmp_path, marker) for marker in ("old", "new", "own"))
    assert sync_shipped(registry, old.folder).version == 1
    assert sync_shipped(registry, old.folder).version == 1
    assert len(registry.versions(NAME)) == 1

    assert sync_shipped(registry, new.folder).version == 2, "the champion moves from a shipped one to a newer one"

    registry.set_alias(NAME, "champion", registry.register(own, "trained"))
    newest = version_in(tmp_path, "newest")
    assert sync_shipped(registry, newest.folder).version == 3
    assert [known.digest for known in registry.versions(NAME)][3] == newest.digest


def test_going_back_to_an_older_shipped_one_stands_at_the_next_start(registry: ModelRegistry, tmp_path: Path) -> None:
    old, new = version_in(tmp_path, "old"), version_in(tmp_path, "new")
    sync_shipped(registry, old.folder)
    sync_shipped(registry, new.folder)
    registry.set_alias(NAME, "champion", 1)
    assert sync_shipped(registry, new.folder).version == 1


def test_a_version_is_fetched_once_by_many_at_a_time(tmp_path: Path) -> None:
    registry, settings = FakeRegistry(), Settings(home=tmp_path / "home")
    version = version_in(tmp_path, "one")
    registry.register(version, "trained")
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(fetch_version, settings, NAME, 1, version.digest, registry) for _ in range(8)]
        folders = {job.result() for job in jobs}
    assert len(folders) == 1
    folder = folders.pop()
    assert read_version(folder).digest == version.digest
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name], "no draft is left"
    before = registry.downloads
    assert fetch_version(settings, NAME, 1, version.digest, registry) == folder
    assert registry.downloads == before
    registry.close()


def test_a_damaged_copy_is_fetched_again(tmp_path: Path) -> None:
    registry, settings = FakeRegistry(), Settings(home=tmp_path / "home")
    version = version_in(tmp_path, "one")
    registry.register(version, "trained")
    folder = fetch_version(settings, NAME, 1, version.digest, registry)
    (folder / "tokenizer.json").write_text("{}")
    assert read_version(fetch_version(settings, NAME, 1, version.digest, registry)).digest == version.digest
    assert registry.downloads == 2
    registry.close()


def test_a_version_with_another_digest_than_the_registrys_is_refused_and_not_kept(tmp_path: Path) -> None:
    registry, settings = FakeRegistry(), Settings(home=tmp_path / "home")
    registry.register(version_in(tmp_path, "one"), "trained")
    with pytest.raises(ModelRejected):
        fetch_version(settings, NAME, 1, "0" * 64, registry)
    assert list((settings.home / "models" / NAME).iterdir()) == []
    registry.close()


@pytest.mark.timeout(60)
def test_a_registry_that_is_away_is_said_so_without_its_password() -> None:
    registry = Registry(f"http://user:hunter2@127.0.0.1:{free_port()}")
    with pytest.raises(RegistryUnavailable) as caught:
        registry.versions(NAME)
    assert "hunter2" not in str(caught.value)


def test_a_damaged_shipped_model_is_refused(tmp_path: Path) -> None:
    shipped = version_in(tmp_path, "one").folder
    shutil.copyfile(shipped / "manifest.json", shipped / "tokenizer.json")
    registry = FakeRegistry()
    with pytest.raises(ModelRejected):
        sync_shipped(registry, shipped)
    registry.close()


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_mlflow_hands_out_the_mark_of_the_home_whose_artifacts_it_keeps(mlflow_uri: str, tmp_path: Path) -> None:
    assert server_at(mlflow_uri, tmp_path) is Server.OWN
    assert server_at(mlflow_uri, tmp_path / "another-home") is Server.ANOTHERS
