"""Rollouts on a whole platform: a version takes over under load, bad ones end with the reason, kills change nothing."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sentiment.registry import CHAMPION, Registry, champion_of
from sentiment.settings import Settings
from sentiment.store import TextStore, open_store
from serve_app.prediction_service import epoch_ms
from serve_app.rollout import service
from serve_app.rollout.record import StartRequest
from tests.running_platform import RunningPlatform, command, running
from tests.tiny_model import build_tiny_version

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

MODEL = "sentiment"
PATIENCE_S = 240
QUICK = {
    "rollouts_hold_s": 2,
    "rollouts_drain_s": 2,
    "rollouts_load_s": 200,
    "rollouts_shadow_share": 1.0,
    "registry_poll_s": 1,
}
TEXTS = ("I love this phone", "the worst day", "the train is at 10", "thanks a great day", "I hate it")


class Rollouts:
    """What the tests ask of the platform, past HTTP: the same requests that its routes make."""

    def __init__(self, platform: RunningPlatform) -> None:
        own = {
            name.removeprefix("UNDERTONE_").lower(): value
            for name, value in platform.environment.items()
            if name.startswith("UNDERTONE_")
        }
        self.platform, self.settings = platform, Settings(**own)
        self.store: TextStore = open_store(self.settings)
        self.registry = Registry(self.settings.registry_uri)

    def register(self, folder: Path, **kind: Any) -> int:
        """Register a tiny version of some kind and wait until the platform knows of it."""
        build_tiny_version(folder, version_marker=folder.name, **kind)
        said = command(self.platform.environment, "models", "register", str(folder), "--json").stdout
        version = int(json.loads(said)["version"])
        wait_for(lambda: any(row["version"] == version for row in self.models()))
        return version

    def models(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = httpx.get(f"{self.platform.url}/v1/models", timeout=30).json()["models"]
        return rows

    def loaded(self) -> set[int]:
        return {row["version"] for row in self.models() if row["state"] != "registered"}

    def serving(self) -> dict[int, float]:
        return {row["version"]: row["weight"] for row in self.models() if row["weight"]}

    def start(self, version: int, settings: Settings | None = None, **request: Any) -> None:
        asked = StartRequest(version=version, **{"auto": True, **request})
        service.start(self.store, settings or self.settings, asked, epoch_ms())

    def status(self) -> dict[str, Any]:
        return service.status(self.store, MODEL, epoch_ms())

    async def reach(self, *states: str) -> dict[str, Any]:
        """Return the rollout once it is in one of `states`."""
        deadline = time.monotonic() + PATIENCE_S
        while (told := self.status())["state"] not in states:
            assert time.monotonic() < deadline, told
            assert told["phase"] not in ("done", "aborted"), (told["reason"], told["decisions"])
            await asyncio.sleep(0.2)
        return told


class Load:
    """Callers that send texts one after the other until told to stop; what they were answered."""

    def __init__(self, platform: RunningPlatform, texts: tuple[str, ...] = TEXTS, callers: int = 2) -> None:
        self.platform, self.texts, self.callers = platform, texts, callers
        self.answers: list[tuple[float, int]] = []
        self.failures: Counter[str] = Counter()
        self.stopped = False

    async def during(self, event: Callable[[], Awaitable[Any]]) -> Any:
        async with httpx.AsyncClient(base_url=self.platform.url, timeout=60) as client:
            callers = [asyncio.create_task(self._call(client, number)) for number in range(self.callers)]
            try:
                return await event()
            finally:
                self.stopped = True
                await asyncio.gather(*callers)

    async def _call(self, client: httpx.AsyncClient, caller: int) -> None:
        number = 0
        while not self.stopped:
            number += 1
            text = f"{self.texts[number % len(self.texts)]} {caller} {number}"  # never the same: no cache answers
            try:
                answer = await client.post("/v1/predict", json={"text": text})
            except httpx.HTTPError as exc:
                self.failures[type(exc).__name__] += 1
                continue
            if answer.status_code == 200:
                self.answers.append((time.monotonic(), answer.json()["model"]["version"]))
            else:
                self.failures[f"{answer.status_code} {answer.text[:120]}"] += 1
            await asyncio.sleep(0.05)


def wait_for(condition: Callable[[], bool], within_s: float = 90) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture(scope="module")
def rollouts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rollouts]:
    """A platform whose champion is a tiny version, put there by its alias, as ever."""
    folder = tmp_path_factory.mktemp("rollouts")
    with running(folder / "home", **QUICK) as platform:
        rollouts = Rollouts(platform)
        first = rollouts.register(folder / "champion")
        rollouts.registry.set_alias(MODEL, CHAMPION, first)
        wait_for(lambda: rollouts.serving() == {first: 1.0} and rollouts.loaded() == {first}, PATIENCE_S)
        yield rollouts
        rollouts.store.close()


@pytest.fixture
def champion(rollouts: Rollouts) -> int:
    [(version, weight)] = rollouts.serving().items()
    assert weight == 1.0
    return version


async def test_a_new_version_takes_over_under_load_without_one_failed_request(rollouts, champion, tmp_path):
    version = await asyncio.to_thread(rollouts.register, tmp_path / "better")
    load = Load(rollouts.platform)

    async def rollout() -> dict[str, Any]:
        await asyncio.sleep(1)
        rollouts.start(version, plan="shadow,10,50,100")
        await rollouts.reach("draining")
        full_s = time.monotonic()
        await asyncio.sleep(1.5)  # gateways that a push did not reach read the table each second
        settled.append(time.monotonic())
        told = await rollouts.reach("done")
        assert time.monotonic() - full_s < PATIENCE_S
        return told

    settled: list[float] = []
    told = await load.during(rollout)
    assert not load.failures
    assert {answered for _, answered in load.answers} == {champion, version}
    assert {answered for at_s, answered in load.answers if at_s > settled[0] + 1} == {version}
    assert told["numbers"]["disagreement"] == 0.0
    assert told["numbers"]["compared"] > 0
    assert champion_of(rollouts.registry.versions(MODEL)).version == version
    wait_for(lambda: rollouts.loaded() == {version})


async def refused(rollouts: Rollouts, version: int, champion: int, load: Load | None = None, **request: Any) -> str:
    """Roll a bad version out, under load if any; return why it ended, and see that nothing of it is left."""

    async def rollout() -> dict[str, Any]:
        rollouts.start(version, **request)
        return await rollouts.reach("aborted", "done")

    told = await (load.during(rollout) if load else rollout())
    assert told["state"] == "aborted", told
    assert rollouts.serving() == {champion: 1.0}
    await asyncio.to_thread(wait_for, lambda: rollouts.loaded() == {champion})
    assert champion_of(rollouts.registry.versions(MODEL)).version == champion
    return str(told["reason"])


async def test_a_version_whose_files_were_changed_is_refused_with_the_file(rollouts, champion, tmp_path):
    version = await asyncio.to_thread(rollouts.register, tmp_path / "changed")
    marker = b"# Tiny model changed"
    [card] = [file for file in rollouts.platform.home.rglob("README.md") if marker in file.read_bytes()]
    card.write_bytes(b"# Tiny model CHANGED\n")
    assert "README.md" in await refused(rollouts, version, champion)


async def test_a_version_that_hangs_at_load_ends_the_rollout_at_its_time_limit(rollouts, champion, tmp_path):
    version = await asyncio.to_thread(rollouts.register, tmp_path / "hangs")
    present = {process.pid for process in rollouts.platform.replicas("Classifier")}

    async def freeze() -> None:
        new: list[Any] = []
        while not new:
            await asyncio.sleep(0.02)
            new = [process for process in rollouts.platform.replicas("Classifier") if process.pid not in present]
        new[0].send_signal(signal.SIGSTOP)

    freezer = asyncio.create_task(freeze())
    impatient = rollouts.settings.model_copy(update={"rollouts_load_s": 15})
    assert "did not load within 15 s" in await refused(rollouts, version, champion, settings=impatient)
    await freezer


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ({"nan_word": "kaboom"}, "failed on"),
        ({"crash_word": "kaboom"}, "failed on"),
        ({"swapped_word": "love"}, "says positive for negative"),
        ({"slow_passes": 12}, "times as long"),
    ],
    ids=["nan", "crash", "swapped", "slow"],
)
async def test_a_version_that_is_bad_at_some_texts_is_stopped_in_the_shadow(rollouts, champion, tmp_path, kind, reason):
    version = await asyncio.to_thread(rollouts.register, tmp_path / next(iter(kind)), **kind)
    load = Load(rollouts.platform, (*TEXTS, "I love kaboom at the phone"))
    assert reason in await refused(rollouts, version, champion, load, plan="shadow,50,100", hold_s=PATIENCE_S)
    assert not load.failures
    assert {answered for _, answered in load.answers} == {champion}


async def test_a_degraded_version_is_stopped_by_feedback_alone(rollouts, champion, tmp_path):
    version = await asyncio.to_thread(rollouts.register, tmp_path / "degraded", swapped_word="love")
    lenient = {"rollouts_max_flips": 0.99, "rollouts_max_disagreement": 0.99}
    rollouts.start(version, rollouts.settings.model_copy(update=lenient), plan="shadow,100", hold_s=PATIENCE_S)
    await rollouts.reach("shadow")
    deadline = time.monotonic() + PATIENCE_S
    async with httpx.AsyncClient(base_url=rollouts.platform.url, timeout=60) as client:
        number = 0
        while rollouts.status()["phase"] == "shadow":
            assert time.monotonic() < deadline
            number += 1
            said = await client.post("/v1/predict", json={"text": f"I love this phone {number}"})
            feedback = {"id": said.json()["id"], "label": "positive", "source": "a test"}
            answer = await client.post("/v1/feedback", json=feedback)
            assert answer.status_code in (200, 404), answer.text  # the store may be a moment behind
    told = await rollouts.reach("aborted")
    assert f"feedback shows that version {version} is worse" in told["reason"]
    assert told["numbers"]["only_champion_right"] >= 5
    await asyncio.to_thread(wait_for, lambda: rollouts.loaded() == {champion})


@pytest.mark.parametrize("killed", ["RolloutController", "Gateway", "Classifier"])
async def test_a_kill_during_a_canary_loses_no_request_and_it_goes_on_or_back(rollouts, champion, tmp_path, killed):
    version = await asyncio.to_thread(rollouts.register, tmp_path / killed)
    before = {process.pid for process in rollouts.platform.replicas("Classifier")}
    load = Load(rollouts.platform)

    async def rollout() -> dict[str, Any]:
        rollouts.start(version, plan="50,100", hold_s=3)
        await rollouts.reach("canary")
        await asyncio.sleep(1)
        processes = rollouts.platform.replicas(killed)
        challengers = [process for process in processes if process.pid not in before]
        (challengers if killed == "Classifier" else processes)[0].send_signal(signal.SIGKILL)
        return await rollouts.reach("done", "aborted")

    told = await load.during(rollout)
    assert not load.failures
    # Texts that the champion answered in place of a dead challenger count against it: that rollout may go back.
    assert told["state"] == "done" or killed == "Classifier", told
    assert rollouts.serving() == {version if told["state"] == "done" else champion: 1.0}


async def test_abort_gives_the_champion_everything_within_a_second_or_so(rollouts, champion, tmp_path):
    version = await asyncio.to_thread(rollouts.register, tmp_path / "aborted")
    load = Load(rollouts.platform)

    async def rollout() -> dict[str, Any]:
        rollouts.start(version, plan="50,100", hold_s=PATIENCE_S)
        await rollouts.reach("canary")
        wait_until = time.monotonic() + PATIENCE_S
        while version not in {answered for _, answered in load.answers}:
            assert time.monotonic() < wait_until
            await asyncio.sleep(0.1)
        service.abort(rollouts.store, MODEL, epoch_ms())
        await rollouts.reach("aborting", "aborted")
        await asyncio.sleep(3)
        back.append(time.monotonic())
        return await rollouts.reach("aborted")

    back: list[float] = []
    told = await load.during(rollout)
    assert told["reason"] == "asked to abort"
    assert not load.failures
    assert {answered for at_s, answered in load.answers if at_s > back[0]} == {champion}
