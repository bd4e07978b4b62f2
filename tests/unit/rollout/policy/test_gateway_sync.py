"""Rollouts whose gateways do not put the traffic table in force: Serve calls a version well that they cannot open."""

from __future__ import annotations

import pytest

from sentiment.settings import Settings
from serve_app.rollout import commands
from serve_app.rollout.cluster.metrics_collector import MetricsCollector
from serve_app.rollout.policy.decisions import NameChampion, Wait
from serve_app.rollout.policy.plan import Limits
from serve_app.rollout.policy.record import Command, Rollout, State
from serve_app.rollout.policy.shares import all_to
from serve_app.routing.observations import Observations
from tests.unit.rollout.courses import RUNNING, STOPPING, after, moved
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
    commands.give_command(platform.store, MODEL, Command.PROMOTE, platform.clock.now_ms())
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


@pytest.mark.parametrize("auto", [True, False])
async def test_a_version_that_no_gateway_opens_is_given_up_and_the_reason_says_so(platform, auto):
    platform.gateways.deaf_to = 2
    platform.start(plan="10,100", auto=auto)
    await platform.until("canary")
    told = await platform.until("aborted", most=140)
    assert told["reason"] == (
        "1 of 1 gateways have not put the traffic table in force for 120 s: they cannot reach version 2"
    )
    assert (set(platform.target.views), platform.champion()) == ({1}, 1)
    assert platform.gateways.weights()[-1] == {1: 1.0}


async def test_a_version_that_one_gateway_of_two_does_not_open_is_given_up_with_all_the_traffic(platform):
    platform.gateways.counts = {"hears": Observations(), "deaf": Observations()}
    platform.gateways.deaf_to, platform.gateways.hear = 2, frozenset({"hears"})
    platform.start(plan="100")
    await platform.until("full")
    told = await platform.until("aborted", most=200)
    assert "1 of 2 gateways have not put the traffic table in force for 120 s" in told["reason"]
    assert (set(platform.target.views), platform.champion()) == ({1}, 1)


async def test_in_place_a_version_that_no_gateway_opens_makes_room_for_the_champion_again(platform):
    platform.gateways.deaf_to = 2
    platform.target.lack = "0.5 CPUs are missing"
    platform.start(in_place=True)
    await platform.until("full")
    assert set(platform.target.views) == {2}
    told = await platform.until("aborted")
    assert "they cannot reach version 2" in told["reason"]
    assert set(platform.target.views) == {1}
    assert platform.gateways.weights()[-1] == {1: 1.0}


async def test_in_place_a_version_that_some_gateways_have_opened_stays_and_the_record_says_what_waits(platform):
    platform.gateways.counts = {"hears": Observations(), "deaf": Observations()}
    platform.gateways.deaf_to, platform.gateways.hear = 2, frozenset({"hears"})
    platform.target.lack = "0.5 CPUs are missing"
    platform.start(in_place=True)
    await platform.until("full")
    await platform.rounds(200)
    told = platform.status()
    assert (told["state"], set(platform.target.views)) == ("full", {2})
    assert "1 of 2 gateways have not" in told["waits"]
    assert "version 1 is not loaded: the rollout does not go back by itself" in told["waits"]
    platform.gateways.hear = frozenset({"hears", "deaf"})
    await platform.until("done")


async def test_the_time_to_open_a_version_begins_anew_with_each_step(platform):
    platform.gateways.deaf_to = 2
    platform.start(plan="1,50,100", auto=False)
    await platform.until("canary")
    await platform.rounds(100)
    commands.give_command(platform.store, MODEL, Command.PROMOTE, platform.clock.now_ms())
    await platform.rounds(100)
    assert platform.status()["step"] == "50"
    assert (await platform.until("aborted", most=40))["reason"].startswith("1 of 1 gateways")


async def test_gateways_that_none_can_ask_say_nothing_against_a_version(platform):
    platform.start(plan="10,100")
    await platform.until("canary")
    platform.gateways.silent = True
    platform.controller = platform.new_controller()
    await platform.rounds(300)
    assert platform.status()["waits"] == "no gateway has answered yet"


@pytest.mark.parametrize("paused", [True, False])
@pytest.mark.parametrize(("state", "stage"), [(State.CANARY, 3), (State.FULL, 5), (State.DRAINING, 5)])
def test_gateways_that_follow_too_late_end_a_rollout_wherever_the_champion_is_loaded(state, stage, paused):
    rollout = rollout_of(state, stage, paused=paused, settings={"rollouts_follow_s": 20})
    late = {"behind": BEHIND, "since_followed_s": 0.0, "followers": 1}
    assert isinstance(after(rollout, 1e4, since_all_followed_s=20.0, **late), Wait)
    assert isinstance(after(rollout, 20, since_all_followed_s=1e4, **late), Wait)
    assert moved(after(rollout, 1e4, since_all_followed_s=21.0, **late)) == (State.ABORTING, stage)


@pytest.mark.parametrize("apps", [{2: RUNNING}, {1: STOPPING, 2: RUNNING}])
def test_nothing_goes_back_to_a_champion_that_has_gone(apps):
    draining = rollout_of(State.DRAINING, 5, settings={"rollouts_follow_s": 20})
    gone = {"shares": all_to(2), "rollout": None, "stage": 0, "apps": apps}
    waits = after(draining, 1e4, behind=BEHIND, followers=1, since_all_followed_s=1e4, **gone)
    assert isinstance(waits, Wait)
    assert waits.reason.startswith(f"{BEHIND}, and version 1 is not loaded")


def test_the_record_of_an_earlier_release_has_the_default_time_for_gateways():
    body = rollout_of(State.CANARY, 3).to_body()
    del body["limits"]["follow_s"]
    assert Rollout.from_body(body).limits == Limits.of(Settings())


def test_going_back_waits_for_no_gateway():
    assert moved(after(rollout_of(State.ABORTING, 5), 1, apps={1: RUNNING}, behind=BEHIND)) == (State.ABORTED, 5)


async def test_a_gateway_that_does_not_answer_any_more_holds_nothing_up():
    told = {"fresh": 7, "stale": 6}

    class Gateways(FakeGateways):
        async def observations(self):
            counts = {"rollout": None, "stage": 0, "counts": {}}
            return [{"gateway": name, "generation": number, **counts} for name, number in told.items()]

    counting = MetricsCollector(Gateways(), lambda: 0.0)
    rollout = rollout_of(State.CANARY, 3)
    assert counting.behind(7) == "no gateway has answered yet"
    await counting.add_to(rollout)
    assert counting.behind(7) == BEHIND
    del told["stale"]
    await counting.add_to(rollout)
    assert counting.behind(7) is None
    assert counting.behind(8) == "1 of 1 gateways have not put the traffic table in force"
