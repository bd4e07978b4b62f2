"""Every part of a rollout killed at every stage: no request fails, what was answered is kept, nothing is left behind.

Twenty rollouts take some ten minutes, so these run by `make soak` and not with the other tests.
"""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import psutil
import pytest

from sentiment.registry import champion_of
from serve_app.processes import own_processes
from tests.running_rollouts import MODEL, PATIENCE_S, Load, Rollouts, wait_for

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(600)]

STAGES = ("loading", "shadow", "canary", "full", "draining")
PARTS = ("RolloutController", "Gateway", "challenger", "ServeController")


def processes_of(part: str, rollouts: Rollouts, before: set[int]) -> list[psutil.Process]:
    if part == "ServeController":
        own = own_processes(rollouts.platform.home)
        return [process for process in own if " ".join(process.cmdline()).startswith("ray::ServeController")]
    if part == "challenger":
        return [process for process in rollouts.platform.replicas("Classifier") if process.pid not in before]
    return rollouts.platform.replicas(part)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("part", PARTS)
async def test_a_part_that_is_killed_at_any_stage_takes_nothing_with_it(rollouts, tmp_path, part, stage):
    [champion] = rollouts.serving()
    version = await asyncio.to_thread(rollouts.register, tmp_path / f"{part}-{stage}")
    await asyncio.to_thread(wait_for, lambda: len(rollouts.platform.replicas("Gateway")) == 2)
    before = {process.pid for process in rollouts.platform.replicas("Classifier")}
    load = Load(rollouts.platform)

    async def rollout() -> dict[str, Any]:
        rollouts.start(version, plan="shadow,50,100", hold_s=3)
        await rollouts.reach(stage, *STAGES[STAGES.index(stage) + 1 :])
        await asyncio.to_thread(wait_for, lambda: processes_of(part, rollouts, before))
        processes_of(part, rollouts, before)[0].send_signal(signal.SIGKILL)
        return await rollouts.reach("done", "aborted")

    told = await load.during(rollout)
    assert not load.failures
    # A challenger that dies goes back where it was asked: another takes the part of any other.
    assert told["state"] == "done" or part == "challenger", told
    winner = version if told["state"] == "done" else champion
    assert rollouts.serving() == {winner: 1.0}
    await asyncio.to_thread(wait_for, lambda: rollouts.loaded() == {winner}, PATIENCE_S)
    assert champion_of(rollouts.registry.versions(MODEL)).version == winner
    await asyncio.to_thread(wait_for, lambda: not set(load.ids) - set(rollouts.store.get_many(load.ids)))
