"""Every part of a rollout killed at every stage: no request fails, what was answered is kept, nothing is left behind.

Twenty-eight rollouts take a quarter of an hour and more, so these run by `make soak` and not with the other tests.
"""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import psutil
import pytest

from sentiment.clock import epoch_ms
from sentiment.registry import champion_of
from serve_app.rollout import commands
from serve_app.rollout.policy.record import Command
from serve_app.supervisor.processes import own_processes
from tests.running_rollouts import MODEL, PATIENCE_S, Load, Rollouts, wait_for

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(600)]

STAGES = ("loading", "checking", "shadow", "canary", "full", "draining", "aborting")
PARTS = ("RolloutController", "Gateway", "challenger", "ServeController")
#: Sixteen callers without pauses: some of their requests are in a gateway at any time, and two cores carry as many.
CROWD = {"callers": 16, "rps": 120.0, "long_every": 7}


def processes_of(part: str, rollouts: Rollouts, before: set[int]) -> list[psutil.Process]:
    if part == "ServeController":
        own = own_processes(rollouts.platform.home)
        return [process for process in own if " ".join(process.cmdline()).startswith("ray::ServeController")]
    if part == "challenger":
        return [process for process in rollouts.platform.replicas("Classifier") if process.pid not in before]
    return rollouts.platform.replicas(part)


async def bring_to(rollouts: Rollouts, stage: str) -> None:
    """Wait until the rollout is at `stage`, or past it; one that is over in a moment is held, or asked for."""
    if stage == "checking":
        await rollouts.reach("loading", "checking")
        commands.give_command(rollouts.store, MODEL, Command.PAUSE, epoch_ms())
        await asyncio.to_thread(wait_for, lambda: rollouts.status()["phase"] == stage, PATIENCE_S)
    elif stage == "aborting":
        await rollouts.reach("canary")
        commands.give_command(rollouts.store, MODEL, Command.ABORT, epoch_ms())
        await rollouts.reach(stage)
    else:
        await rollouts.reach(*STAGES[STAGES.index(stage) : -1])


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("part", PARTS)
async def test_a_part_that_is_killed_at_any_stage_takes_nothing_with_it(rollouts, tmp_path, part, stage):
    [champion] = rollouts.serving()
    version = await asyncio.to_thread(rollouts.register, tmp_path / f"{part}-{stage}")
    await asyncio.to_thread(wait_for, lambda: len(rollouts.platform.replicas("Gateway")) == 2)
    before = {process.pid for process in rollouts.platform.replicas("Classifier")}
    load = Load(rollouts.platform, **CROWD)

    async def rollout() -> dict[str, Any]:
        rollouts.start(version, plan="shadow,50,100", hold_s=3)
        await bring_to(rollouts, stage)
        await asyncio.to_thread(wait_for, lambda: processes_of(part, rollouts, before))
        processes_of(part, rollouts, before)[0].send_signal(signal.SIGKILL)
        if stage == "checking":
            commands.give_command(rollouts.store, MODEL, Command.RESUME, epoch_ms())
        return await rollouts.reach("done", "aborted")

    told = await load.during(rollout)
    assert not load.failures
    assert len(load.ids) == len(set(load.ids))
    # A challenger that dies goes back where it was asked: another takes the part of any other.
    assert told["state"] == ("aborted" if stage == "aborting" else "done") or part == "challenger", told
    winner = version if told["state"] == "done" else champion
    assert rollouts.serving() == {winner: 1.0}
    await asyncio.to_thread(wait_for, lambda: rollouts.loaded() == {winner}, PATIENCE_S)
    await asyncio.to_thread(wait_for, lambda: rollouts.running() == {winner}, PATIENCE_S)
    assert champion_of(rollouts.registry.versions(MODEL)).version == winner
    await asyncio.to_thread(wait_for, lambda: not set(load.ids) - set(rollouts.store.get_many(load.ids)))
