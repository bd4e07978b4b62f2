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

from sentiment.errors import ModelRejected, NotFound, RegistryUnavailable
from sentiment.registry import ModelRegistry, Registry, champion_of, fetch_version, sync_shipped
from sentiment.settings import Settings
from sentiment.version import Version, read_version
from serve_app.probe import Address, answers
from tests.fake_registry import FakeRegistry
from tests.free_ports import free_port
from tests.tiny_model import build_tiny_version

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
