"""Promoting: once for each time that it is meant, and no sign that a version works."""

from __future__ import annotations

import pytest

from sentiment.errors import Conflict
from serve_app.rollout import commands
from serve_app.rollout.cluster.protocols import AppView
from serve_app.rollout.policy.decisions import AppState
from serve_app.rollout.policy.record import Command
from serve_app.rollout.policy.state_machine import CHALLENGER_DOWN_S

MODEL = "sentiment"


async def test_a_promote_that_is_sent_again_after_the_step_was_taken_takes_no_second_one(platform):
    platform.start(plan="1,10,50,100", auto=False)
    await platform.until("canary")
    for _ in range(2):  # both before the controller's next round: one step is asked for
        commands.give_command(platform.store, MODEL, Command.PROMOTE, platform.clock.now_ms(), stage=1)
    await platform.rounds(2)
    with pytest.raises(Conflict, match=r"at stage 2 \(10\), not at stage 1: look at its status"):
        commands.give_command(platform.store, MODEL, Command.PROMOTE, platform.clock.now_ms(), stage=1)
    await platform.rounds(5)
    assert platform.status()["stage"] == 2


async def test_any_command_may_name_the_stage_that_it_is_meant_for(platform):
    platform.start(plan="1,100", auto=False)
    await platform.until("canary")
    with pytest.raises(Conflict, match="not at stage 0: look at its status"):
        commands.give_command(platform.store, MODEL, Command.ABORT, platform.clock.now_ms(), stage=0)
    commands.give_command(platform.store, MODEL, Command.ABORT, platform.clock.now_ms(), stage=1)
    assert (await platform.until("aborted"))["reason"] == "asked to abort"


async def test_a_challenger_without_a_replica_goes_back_in_its_time_however_often_it_is_promoted(platform):
    platform.start(plan="1,10,50,100", auto=False)
    await platform.until("canary")
    platform.target.views[2] = AppView(AppState.DOWN)
    for _ in range(int(CHALLENGER_DOWN_S / 20) + 1):
        commands.give_command(platform.store, MODEL, Command.PROMOTE, platform.clock.now_ms())
        await platform.rounds(1, 20.0)
    told = await platform.until("aborted", most=3)
    assert "no healthy replica" in told["reason"]
