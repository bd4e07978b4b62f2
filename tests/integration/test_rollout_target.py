"""Rollouts on a real Serve, without the platform around it: versions that run, fail, hang, die and leave."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
from ray import serve

from sentiment.registry import CHAMPION, champion_of
from sentiment.settings import Settings
from sentiment.store.memory import MemoryStore
from sentiment.version import digest, read_version
from serve_app.prediction_service import epoch_ms
from serve_app.rollout import service
from serve_app.rollout.capacity import Capacity
from serve_app.rollout.ledger import Ledger
from serve_app.rollout.policy import AppState
from serve_app.rollout.reconciler import Reconciler
from serve_app.rollout.record import StartRequest
from serve_app.rollout.target import ServeTarget
from tests.fake_registry import FakeRegistry
from tests.running_platform import replicas_of
from tests.tiny_model import build_tiny_version
from tests.unit.rollout.fake_platform import FakeGateways, without_repeats

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

MODEL = "sentiment"
PATIENCE_S = 600
#: What the registry's versions are: the files of 3 are changed once they are registered.
KINDS: dict[int, dict[str, Any]] = {1: {}, 2: {}, 3: {}}


class World:
    """A registry of which all files are on this machine already, and a controller of the applications on Ray."""

    def __init__(self, home: Path) -> None:
        self.registry, self.store, self.gateways = FakeRegistry(), MemoryStore(), FakeGateways()
        for version in KINDS:
            folder = build_tiny_version(home / "built" / str(version), version_marker=str(version))
            self.registry.register(read_version(folder), "trained")
            cached = home / "models" / MODEL / f"{version}-{digest(folder)[:12]}"
            shutil.copytree(folder, cached)
        self.registry.set_alias(MODEL, CHAMPION, 1)
        self.settings = Settings(home=home, rollouts_hold_s=0.5, rollouts_drain_s=0.5, rollouts_load_s=PATIENCE_S)
        self.target = ServeTarget()
        self.controller = Reconciler(
            settings=self.settings,
            ledger=Ledger(self.store, MODEL, "one"),
            registry=self.registry,
            target=self.target,
            gateways=self.gateways,
            capacity=Capacity(threads=1),
            now_ms=epoch_ms,
            now_s=time.monotonic,
        )

    async def reach(self, *states: str) -> dict[str, Any]:
        """Run rounds until the rollout is in one of `states`."""
        deadline = time.monotonic() + PATIENCE_S
        while (told := service.status(self.store, MODEL, epoch_ms()))["state"] not in states:
            assert time.monotonic() < deadline, told
            await self.round()
        return told

    async def round(self) -> None:
        await self.controller.step()
        await asyncio.sleep(0.2)

    async def serves(self, version: int) -> None:
        """Run rounds until a version answers everything and is the only one loaded."""
        deadline = time.monotonic() + PATIENCE_S
        while set(self.target.apps()) != {version} or self.gateways.weights()[-1:] != [{version: 1.0}]:
            assert time.monotonic() < deadline, self.target.apps()
            await self.round()

    def start(self, version: int, **request: Any) -> None:
        service.start(self.store, self.settings, StartRequest(version=version, auto=True, **request), epoch_ms())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("home")
    patch = pytest.MonkeyPatch()
    patch.setenv("UNDERTONE_HOME", str(home))
    patch.setenv("RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S", "1")
    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False)
    serve.start(proxy_location="Disabled")
    world = World(home)
    yield world
    world.registry.close()
    serve.shutdown()
    ray.shutdown()
    patch.undo()


async def test_rollouts_on_a_real_serve(world: World) -> None:
    """One test, for its parts build on one another: each is a platform's minute."""
    await world.serves(1)

    [cached] = (world.settings.home / "models" / MODEL).glob("3-*")
    (cached / "README.md").write_text("changed")
    (world.registry._files / f"{MODEL}-3" / "README.md").write_text("changed")
    world.start(3)
    told = await world.reach("aborted", "done")
    assert told["state"] == "aborted"
    assert "does not load" in told["reason"]
    assert "Traceback" not in told["reason"]
    assert set(world.target.apps()) == {1}

    world.start(2, plan="shadow,50,100")
    await world.reach("canary")
    victim = _replica_of(2)
    victim.kill()
    deadline = time.monotonic() + PATIENCE_S
    while world.target.apps()[2].state is AppState.RUNNING and world.target.apps()[2].replicas:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    told = await world.reach("done", "aborted")
    assert told["state"] == "done", told
    shares = [weights.get(2, 0.0) for weights in world.gateways.weights()]
    assert without_repeats(shares) == [0.0, 0.5, 1.0]
    assert champion_of(world.registry.versions(MODEL)).version == 2
    checked = next(entry for entry in told["decisions"] if entry["state"] == "shadow")
    assert checked["numbers"]["checked"] == 3.0
    assert checked["numbers"]["worst_distance"] < 0.02
    await world.serves(2)


def _replica_of(version: int) -> psutil.Process:
    children = psutil.Process().children(recursive=True)
    [found] = [
        process for process in replicas_of("Classifier", children) if f":classifier-v{version}:" in _title(process)
    ]
    return found


def _title(process: psutil.Process) -> str:
    return " ".join(process.cmdline())
