"""A 200 is a promise: under load, parts are killed and stores fail; every acknowledged text is kept, once, labelled."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from pymongo import MongoClient

from sentiment.settings import Settings
from sentiment.store import TextStore, open_store
from tests.contract.nx_server import NxServer
from tests.running_platform import RunningPlatform, running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

CONNECTIONS = 8
SETTLE_S = 90


class Traffic:
    """Clients that send texts with ids of their own until told to stop, and remember which were answered 200."""

    def __init__(self, platform: RunningPlatform, prefix: str, words: str = "is good") -> None:
        self.platform, self.prefix, self.words = platform, prefix, words
        self.acknowledged: list[str] = []
        self.refused: dict[str, int] = {}
        self.stopped = False

    async def during(self, fault: Callable[[], Awaitable[None]]) -> None:
        """Send while `fault` runs, and a little longer."""
        async with httpx.AsyncClient(base_url=self.platform.url, timeout=30) as client:
            senders = [asyncio.create_task(self._send(client, number)) for number in range(CONNECTIONS)]
            await asyncio.sleep(1)
            await fault()
            await asyncio.sleep(2)
            self.stopped = True
            await asyncio.gather(*senders)

    async def _send(self, client: httpx.AsyncClient, sender: int) -> None:
        number = 0
        while not self.stopped:
            number += 1
            id_ = f"{self.prefix}-{sender}-{number}"
            try:
                answer = await client.post("/v1/predict", json={"id": id_, "text": f"text {id_} {self.words}"})
            except httpx.HTTPError as exc:
                self._refuse(type(exc).__name__)
                continue
            if answer.status_code == 200:
                self.acknowledged.append(id_)
            else:
                self._refuse(f"{answer.status_code} {answer.text[:80]}")

    def _refuse(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1


def assert_kept(store: TextStore, traffic: Traffic, least: int = 20) -> None:
    """Wait until all that was acknowledged is in the store, labelled; fail with what is not."""
    assert len(traffic.acknowledged) >= least, traffic.refused
    deadline = time.monotonic() + SETTLE_S
    while missing := set(traffic.acknowledged) - set(store.get_many(traffic.acknowledged)):
        assert time.monotonic() < deadline, f"{len(missing)} of {len(traffic.acknowledged)} acknowledged texts are lost"
        time.sleep(0.5)
    assert all(record.label for record in store.get_many(traffic.acknowledged).values())
    assert len(set(traffic.acknowledged)) == len(traffic.acknowledged)


def settings_of(platform: RunningPlatform) -> Settings:
    own = {
        name.removeprefix("UNDERTONE_").lower(): value
        for name, value in platform.environment.items()
        if name.startswith("UNDERTONE_")
    }
    return Settings(**own)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    disk = tmp_path_factory.mktemp("disk")
    with (
        small_disk(disk),
        running(tmp_path_factory.mktemp("home"), database=disk / "texts" / "undertone.db") as platform,
    ):
        yield platform


@pytest.fixture(scope="module")
def store(platform: RunningPlatform) -> Iterator[TextStore]:
    store = open_store(settings_of(platform))
    yield store
    store.close()


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Put a disk of 16 MiB at `folder`, where that is allowed."""
    mounted = (
        os.geteuid() == 0
        and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder]).returncode == 0
    )
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "-l", folder], check=False)


@pytest.mark.parametrize("deployment", ["Gateway", "Preprocessor", "Classifier", "Sink"])
async def test_a_killed_replica_loses_no_acknowledged_text(platform, store, deployment):
    long = "is good " * 150  # short ones are cleaned without the Preprocessor
    traffic = Traffic(platform, f"kill-{deployment}", long if deployment == "Preprocessor" else "is good")

    async def fault() -> None:
        victim = platform.replicas(deployment)[0]
        victim.send_signal(signal.SIGKILL)
        await asyncio.sleep(6)

    await traffic.during(fault)
    assert_kept(store, traffic)
    await wait_until(lambda: len(platform.replicas(deployment)) >= 1)


async def wait_until(condition: Callable[[], bool], patience_s: float = 60) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)


async def test_a_store_locked_for_half_a_minute_costs_no_request_and_no_text(platform, store):
    traffic = Traffic(platform, "locked")
    seconds = 30

    async def fault() -> None:
        with closing(sqlite3.connect(settings_of(platform).database_path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(seconds)
            connection.execute("ROLLBACK")

    await traffic.during(fault)
    assert not [reason for reason in traffic.refused if reason.startswith("500")], traffic.refused
    assert_kept(store, traffic)


async def test_a_store_whose_disk_is_full_loses_no_acknowledged_text(platform, store):
    disk = settings_of(platform).database_path.parents[1]
    if not await asyncio.to_thread(disk.is_mount):
        pytest.skip("a small disk needs the right to mount one")
    traffic = Traffic(platform, "full")
    ballast = disk / "ballast"

    async def fault() -> None:
        fill(ballast)
        await asyncio.sleep(8)
        ballast.unlink()

    await traffic.during(fault)
    assert_kept(store, traffic)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65536)
        except OSError:
            pass


@pytest.mark.soak  # a platform of its own; test_store_faults ends and starts a server without one
async def test_a_mongodb_killed_and_started_again_loses_nothing_and_keeps_nothing_twice(tmp_path):
    server = NxServer(tmp_path)
    server.start()
    try:
        with running(tmp_path / "home", mongo_uri=server.uri) as platform:
            traffic = Traffic(platform, "mongo")

            async def fault() -> None:
                server.kill()
                await asyncio.sleep(8)
                await asyncio.to_thread(server.start)

            await traffic.during(fault)
            store = open_store(settings_of(platform))
            assert_kept(store, traffic)
            store.close()
            with MongoClient(server.uri) as client:
                ids = [row["_id"] for row in client["undertone"]["texts"].find({}, {"_id": 1})]
            assert len(ids) == len(set(ids))
    finally:
        server.kill()


def test_what_is_acknowledged_is_readable_within_a_second(platform):
    with httpx.Client(base_url=platform.url, timeout=30) as client:
        for number in range(5):
            assert client.post("/v1/predict", json={"id": f"soon-{number}", "text": "a good day"}).status_code == 200
            deadline = time.monotonic() + 1
            while client.get(f"/v1/texts/soon-{number}").status_code != 200:
                assert time.monotonic() < deadline


def test_a_deleted_text_is_in_no_file_of_the_platform(platform):
    word = "xylophonequartz"
    with httpx.Client(base_url=platform.url, timeout=30) as client:
        client.post("/v1/predict", json={"id": "secret-1", "text": f"I like {word}"})
        assert client.delete("/v1/texts/secret-1").status_code == 204
        deadline = time.monotonic() + 15  # the deletion is in the journal, and reaches the store soon
        while client.get("/v1/texts/secret-1").status_code != 404:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    journal = platform.home / "journal"
    while any(word.encode() in file.read_bytes() for file in journal.rglob("*") if file.is_file()):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_the_platform_is_still_whole_after_all_of_this(platform):
    assert httpx.get(f"{platform.url}/readyz", timeout=30).json() == {
        "ready": True,
        "parts": {"model": "ok", "sink": "ok", "store": "ok"},
    }
    assert psutil.pid_exists(platform.replicas("Gateway")[0].pid)
