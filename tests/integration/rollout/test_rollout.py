"""Rollouts on a whole platform: a version takes over under load, bad ones end with the reason, a kill changes nothing.

`test_rollout_kills` kills every part at every stage.
"""

from __future__ import annotations

import asyncio
import re
import signal
import time
from typing import Any

import httpx
import psutil
import pytest

from sentiment.clock import epoch_ms
from sentiment.registry import champion_of
from serve_app.rollout import commands
from serve_app.rollout.policy.record import Command
from tests.running_rollouts import MODEL, ONE_LOVES_IN_TEN, PATIENCE_S, TEXTS, Load, Rollouts, wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

KABOOM = (*TEXTS, "I love kaboom at the phone")
#: How a rollout ends whose version's process dies: of the calls that it lost, or since no replica is left.
GONE = "failed on|no healthy replica|does not load"


async def test_a_new_version_takes_over_under_load_without_one_failed_request(rollouts, champion, tmp_path):
    version = await asyncio.to_thread(rollouts.register, tmp_path / "better")
    load = Load(rollouts.platform)

    async def rollout() -> dict[str, Any]:
        await asyncio.sleep(1)
        asked = {"version": version, "plan": "shadow,10,50,100", "auto": True}
        async with httpx.AsyncClient(base_url=rollouts.platform.url, timeout=60) as client:
            started = await client.post("/v1/rollouts", json=asked)
            again = await client.post("/v1/rollouts", json=asked)
            second = await client.post("/v1/rollouts", json={**asked, "plan": "100"})
        answers = [(response.status_code, response.text) for response in (started, again, second)]
        assert [status for status, _ in answers] == [201, 200, 409], answers
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


async def refused(
    rollouts: Rollouts,
    version: int,
    champion: int,
    load: Load | None = None,
    frozen: asyncio.Task[psutil.Process] | None = None,
    **request: Any,
) -> str:
    """Roll a bad version out, under load if any; return why it ended, and see that nothing of it is left.

    A process that a test has `frozen` it ends itself: Ray, which asks a process to end, leaves it behind.
    """

    async def rollout() -> dict[str, Any]:
        rollouts.start(version, **request)
        return await rollouts.reach("aborted", "done")

    told = await (load.during(rollout) if load else rollout())
    assert told["state"] == "aborted", told
    assert rollouts.serving() == {champion: 1.0}
    await asyncio.to_thread(wait_for, lambda: rollouts.loaded() == {champion})
    assert champion_of(rollouts.registry.versions(MODEL)).version == champion
    if frozen:
        (await frozen).kill()
    await asyncio.to_thread(wait_for, lambda: rollouts.running() == {champion})
    return str(told["reason"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README.md", b"# Tiny model CHANGED\n"),
        pytest.param("model.int8.onnx", b"no model", marks=pytest.mark.soak),
        pytest.param("tokenizer.json", None, marks=pytest.mark.soak),
    ],
    ids=["card", "weights", "missing"],
)
async def test_a_version_whose_files_were_changed_is_refused_with_the_file(rollouts, champion, tmp_path, name, content):
    folder = tmp_path / f"changed-{name}"
    version = await asyncio.to_thread(rollouts.register, folder)
    marker = f"# Tiny model {folder.name}\n".encode()
    [card] = [file for file in rollouts.platform.home.rglob("README.md") if file.read_bytes() == marker]
    if content is None:
        (card.parent / name).unlink()
    else:
        (card.parent / name).write_bytes(content)
    assert name in await refused(rollouts, version, champion)


async def test_a_version_that_hangs_at_load_ends_the_rollout_at_its_time_limit(rollouts, champion, tmp_path):
    version = await asyncio.to_thread(rollouts.register, tmp_path / "hangs")
    present = {process.pid for process in rollouts.platform.replicas("Classifier")}

    async def freeze() -> psutil.Process:
        new: list[Any] = []
        while not new:
            await asyncio.sleep(0.02)
            new = [process for process in rollouts.platform.replicas("Classifier") if process.pid not in present]
        process: psutil.Process = new[0]
        process.send_signal(signal.SIGSTOP)
        return process

    freezer = asyncio.create_task(freeze())
    impatient = rollouts.settings.model_copy(update={"rollouts_load_s": 10})
    assert "did not load within 10 s" in await refused(rollouts, version, champion, frozen=freezer, settings=impatient)


@pytest.mark.parametrize(
    ("kind", "texts", "reason"),
    [
        ({"nan_word": "kaboom"}, KABOOM, "failed on"),
        pytest.param({"crash_word": "kaboom"}, KABOOM, "failed on", marks=pytest.mark.soak),  # ends as "nan" does
        pytest.param({"deadly_word": "kaboom"}, KABOOM, GONE, marks=pytest.mark.soak),
        ({"swapped_word": "love"}, ONE_LOVES_IN_TEN, "opposite labels"),
        ({"slow_passes": 12}, TEXTS, "times as long"),
    ],
    ids=["nan", "crash", "deadly", "swapped", "slow"],
)
async def test_a_version_that_is_bad_at_some_texts_is_stopped_in_the_shadow(
    rollouts, champion, tmp_path, kind, texts, reason
):
    version = await asyncio.to_thread(rollouts.register, tmp_path / next(iter(kind)), **kind)
    load = Load(rollouts.platform, texts)
    assert re.search(reason, await refused(rollouts, version, champion, load, plan="shadow,50,100", hold_s=PATIENCE_S))
    assert not load.failures
    assert {answered for _, answered in load.answers} == {champion}


@pytest.mark.soak
@pytest.mark.parametrize(
    ("kind", "texts", "reason"),
    [
        ({"nan_word": "kaboom"}, KABOOM, "failed on"),
        ({"crash_word": "kaboom"}, KABOOM, "failed on"),
        ({"deadly_word": "kaboom"}, KABOOM, GONE),
        ({"slow_passes": 12}, TEXTS, "times as long|failed on"),
    ],
    ids=["nan", "crash", "deadly", "slow"],
)
async def test_a_version_that_is_bad_at_some_texts_is_stopped_in_the_canary_and_the_champion_answers_for_it(
    rollouts, champion, tmp_path, kind, texts, reason
):
    version = await asyncio.to_thread(rollouts.register, tmp_path / f"canary-{next(iter(kind))}", **kind)
    load = Load(rollouts.platform, texts)
    assert re.search(reason, await refused(rollouts, version, champion, load, plan="50,100", hold_s=PATIENCE_S))
    assert not load.failures
    assert champion in {answered for _, answered in load.answers} <= {champion, version}


async def test_a_version_wrong_on_a_tenth_of_the_texts_is_stopped_by_feedback_alone(rollouts, champion, tmp_path):
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
            text = f"{ONE_LOVES_IN_TEN[number % len(ONE_LOVES_IN_TEN)]} {number}"
            said = await client.post("/v1/predict", json={"text": text})
            feedback = {"id": said.json()["id"], "label": said.json()["label"], "source": "a test"}
            answer = await client.post("/v1/feedback", json=feedback)
            assert answer.status_code in (200, 404), answer.text  # the store may be a moment behind
    told = await rollouts.reach("aborted")
    assert f"feedback shows that version {version} is worse" in told["reason"]
    assert told["numbers"]["only_champion_right"] >= 5
    await asyncio.to_thread(wait_for, lambda: rollouts.loaded() == {champion})


async def test_a_gateway_that_is_killed_during_a_canary_takes_no_request_with_it(rollouts, tmp_path):
    version = await asyncio.to_thread(rollouts.register, tmp_path / "killed")
    load = Load(rollouts.platform)

    async def rollout() -> dict[str, Any]:
        rollouts.start(version, plan="50,100", hold_s=3)
        await rollouts.reach("canary")
        await asyncio.sleep(1)
        rollouts.platform.replicas("Gateway")[0].send_signal(signal.SIGKILL)
        return await rollouts.reach("done", "aborted")

    told = await load.during(rollout)
    assert not load.failures
    assert told["state"] == "done", told
    assert rollouts.serving() == {version: 1.0}
    await asyncio.to_thread(wait_for, lambda: not set(load.ids) - set(rollouts.store.get_many(load.ids)))


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
        commands.give_command(rollouts.store, MODEL, Command.ABORT, epoch_ms())
        await rollouts.reach("aborting", "aborted")
        await asyncio.sleep(3)
        back.append(time.monotonic())
        return await rollouts.reach("aborted")

    back: list[float] = []
    told = await load.during(rollout)
    assert told["reason"] == "asked to abort"
    assert not load.failures
    assert {answered for at_s, answered in load.answers if at_s > back[0]} == {champion}
