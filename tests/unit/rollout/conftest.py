"""A platform without Ray for the reconciler's tests: store, registry, clock, and controllers that come and go."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from sentiment.registry import CHAMPION, champion_of
from sentiment.settings import Settings
from sentiment.store.memory import MemoryStore
from sentiment.version import read_version
from serve_app.rollout import commands
from serve_app.rollout.cluster.placement import Capacity
from serve_app.rollout.graph import build_reconciler
from serve_app.rollout.policy.record import StartRequest
from serve_app.rollout.reconciler import Reconciler
from serve_app.rollout.rollout_store import RolloutStore
from tests.fake_registry import FakeRegistry
from tests.tiny_model import build_tiny_version
from tests.unit.rollout.fake_platform import Clock, FakeGateways, FakeTarget

MODEL = "sentiment"


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> list[Path]:
    return [build_tiny_version(tmp_path_factory.mktemp(f"v{n}") / "v", version_marker=str(n)) for n in (1, 2, 3)]


class Platform:
    """A store, a registry with three versions, and controllers that come and go."""

    def __init__(self, folders: list[Path], home: Path) -> None:
        self.home = home
        self.store, self.registry, self.clock = MemoryStore(), FakeRegistry(), Clock()
        self.target, self.gateways = FakeTarget(), FakeGateways()
        for folder in folders:
            self.registry.register(read_version(folder), "trained")
        self.registry.set_alias(MODEL, CHAMPION, 1)
        self.settings = Settings(home=home, rollouts_hold_s=10, rollouts_drain_s=5, rollouts_load_s=60)
        self.controller = self.new_controller()

    def new_controller(self, holder: str = "one") -> Reconciler:
        return build_reconciler(
            settings=self.settings,
            rollout_store=RolloutStore(self.store, MODEL, holder),
            registry=self.registry,
            target=self.target,
            gateways=self.gateways,
            capacity=Capacity(),
            now_ms=self.clock.now_ms,
            now_s=self.clock.now_s,
        )

    async def rounds(self, count: int, seconds: float = 1.0) -> None:
        for _ in range(count):
            self.clock.s += seconds
            await self.controller.step()

    async def until(self, *states: str, most: int = 200, lives: int = 1000) -> dict:
        """Run rounds until the rollout is in one of `states`; a controller is killed after `lives` rounds."""
        for number in range(most):
            if number % lives == lives - 1:
                self.controller = self.new_controller()
            await self.rounds(1)
            if self.status()["state"] in states:
                return self.status()
        raise AssertionError(f"{self.status()['state']}: {self.controller.decision}")

    def start(self, version: int = 2, **request) -> None:
        asked = StartRequest(version=version, **{"auto": True, **request})
        commands.start(self.store, self.settings, asked, self.clock.now_ms())

    def status(self) -> dict:
        return commands.status(self.store, MODEL, self.clock.now_ms())

    def champion(self) -> int:
        return champion_of(self.registry.versions(MODEL)).version


@pytest.fixture
async def platform(folders, tmp_path):
    platform = Platform(folders, tmp_path)
    await platform.rounds(4)
    assert platform.gateways.weights() == [{1: 1.0}]
    yield platform
    platform.registry.close()


@pytest.fixture
def registry_hangs(platform, monkeypatch):
    """Let the registry hang from now on, until the event that is returned is set."""

    def hang() -> threading.Event:
        answers, real = threading.Event(), platform.registry.versions

        def versions(name):
            answers.wait(30)
            return real(name)

        monkeypatch.setattr(platform.registry, "versions", versions)
        return answers

    return hang
