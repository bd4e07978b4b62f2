"""Rollouts whose gateways do not put the traffic table in force: Serve calls a version well that they cannot open."""

from __future__ import annotations

import pytest

from serve_app.rollout import service
from serve_app.rollout.counting import Counting
from serve_app.rollout.policy import NameChampion, Wait
from serve_app.rollout.record import State
from tests.unit.rollout.courses import RUNNING, after, moved
from tests.unit.rollout.fake_platform import FakeGateways
from tests.unit.rollout.rollouts import HOLD_S, rollout_of

MODEL = "sentiment"
BEHIND = "1 of 2 gateways have not put the traffic table in force"


async def test_a_rollout_that_no_gateway_follows_stays_at_its_step_and_ends_no_version_that_serves(platform):
    platform.gateways.deaf_to = 2
    platform.start(plan="shadow,1,50,100")
    await platform.until("canary")
    await platform.rounds(100)
    assert platform.status()["step"] == "1"
    assert platform.controller.decision == Wait("1 of 1 gateways have not put the traffic table in force")
    assert set(platform.target.views) == {1, 2}
    platform.gateways.deaf_to = None
    assert (await platform.until("done"))["challenger"] == 2


async def test_a_rollout_that_is_promoted_while_no_gateway_follows_keeps_alias_and_champion(platform):
    platform.gateways.deaf_to = 2
    platform.start(plan="1,100", auto=False)
    await platform.until("canary")
    service.promote(platform.store, MODEL, platform.clock.now_ms())
    await platform.rounds(100)
    assert platform.status()["state"] == "full"
    assert platform.champion() == 1
    assert 1 in platform.target.views


async def test_while_no_gateway_answers_no_step_is_taken(platform):
    platform.start(plan="shadow,100")
    await platform.until("shadow")
    platform.gateways.silent = True
    platform.controller = platform.new_controller()
    await platform.rounds(100)
    assert platform.status()["state"] == "shadow"
    platform.gateways.silent = False
    await platform.until("done")


@pytest.mark.parametrize(("state", "stage"), [(State.SHADOW, 1), (State.CANARY, 3), (State.DRAINING, 5)])
def test_a_step_is_held_for_its_time_from_when_the_last_gateway_follows(state, stage):
    rollout = rollout_of(state, stage, request={"auto": True})
    waits = after(rollout, 1e4, behind=BEHIND, since_followed_s=0.0)
    assert isinstance(waits, Wait)
    assert BEHIND in waits.reason
    assert isinstance(after(rollout, 1e4, since_followed_s=1.0), Wait)
    assert not isinstance(after(rollout, 1e4, since_followed_s=HOLD_S + 1), Wait)


def test_the_alias_moves_once_all_gateways_follow():
    full = rollout_of(State.FULL, 5)
    assert after(full, 1, behind=BEHIND) == Wait(BEHIND)
    assert after(full, 1) == NameChampion(2)


def test_going_back_waits_for_no_gateway():
    assert moved(after(rollout_of(State.ABORTING, 5), 1, apps={1: RUNNING}, behind=BEHIND)) == (State.ABORTED, 5)


async def test_a_gateway_that_does_not_answer_any_more_holds_nothing_up():
    told = {"fresh": 7, "stale": 6}

    class Gateways(FakeGateways):
        async def observations(self):
            counts = {"rollout": None, "stage": 0, "counts": {}}
            return [{"gateway": name, "generation": number, **counts} for name, number in told.items()]

    counting = Counting(Gateways(), lambda: 0.0)
    rollout = rollout_of(State.CANARY, 3)
    assert counting.behind(7) == "no gateway has answered yet"
    await counting.add_to(rollout)
    assert counting.behind(7) == BEHIND
    del told["stale"]
    await counting.add_to(rollout)
    assert counting.behind(7) is None
    assert counting.behind(8) == "1 of 1 gateways have not put the traffic table in force"
