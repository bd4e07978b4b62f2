from __future__ import annotations

import asyncio

import pytest

from sentiment.errors import Conflict
from sentiment.registry import CHALLENGER
from serve_app.rollout import commands
from serve_app.rollout.cluster.protocols import AppView
from serve_app.rollout.policy.decisions import AppState, StartApplication, Wait
from serve_app.rollout.policy.record import HISTORY_KIND, Command, State
from serve_app.rollout.rollout_store import LEASE_MS
from serve_app.routing.model_list import read_listing
from serve_app.routing.observations import Observations
from tests.unit.rollout.fake_platform import without_repeats
from tests.unit.rollout.rollouts import arm

MODEL = "sentiment"


async def test_a_version_that_nothing_speaks_against_takes_over_step_by_step(platform):
    platform.start(plan="shadow,10,50,100")
    told = await platform.until("done")
    shares = [weights.get(2, 0.0) for weights in platform.gateways.weights()]
    assert without_repeats(shares) == [0.0, 0.1, 0.5, 1.0]
    assert platform.gateways.weights()[-1] == {2: 1.0}
    assert platform.champion() == 2
    assert set(platform.target.views) == {2}
    assert told["reason"] == "version 2 has taken over"
    states = without_repeats(entry["state"] for entry in told["decisions"])
    assert states == ["waiting", "loading", "checking", "shadow", "canary", "full", "draining", "done"]
    checked = next(entry for entry in told["decisions"] if entry["state"] == "shadow")
    assert checked["numbers"]["checked"] == 3.0
    assert all(entry["reason"] for entry in told["decisions"])


@pytest.mark.parametrize("lives", [7, 8, 9, 11])
async def test_a_controller_that_is_killed_again_and_again_ends_with_the_same_rollout(platform, lives):
    platform.start(plan="shadow,10,100", hold_s=0)
    await platform.until("done", lives=lives)
    shares = [weights.get(2, 0.0) for weights in platform.gateways.weights()]
    assert without_repeats(shares) == [0.0, 0.1, 1.0]
    assert platform.champion() == 2
    assert without_repeats(platform.target.acts) == [("start", 1), ("start", 2), ("retire", 1)]
    assert len(platform.store.list_documents(HISTORY_KIND)) == 1


async def test_the_alias_challenger_is_enough_where_rollouts_are_automatic_and_is_gone_afterwards(platform):
    platform.settings = platform.settings.model_copy(update={"rollouts_automatic": True})
    platform.controller = platform.new_controller()
    platform.registry.set_alias(MODEL, CHALLENGER, 2)
    await platform.rounds(10)
    told = await platform.until("done")
    assert told["auto"]
    assert platform.champion() == 2
    assert not [v for v in platform.registry.versions(MODEL) if CHALLENGER in v.aliases]


async def test_an_automatic_rollout_that_failed_is_not_tried_again_by_itself(platform):
    platform.settings = platform.settings.model_copy(update={"rollouts_automatic": True})
    platform.controller = platform.new_controller()
    platform.target.broken[2] = "model.int8.onnx is missing"
    platform.registry.set_alias(MODEL, CHALLENGER, 2)
    await platform.rounds(60)
    assert platform.status()["state"] == "aborted"
    assert platform.target.acts.count(("start", 2)) == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (
            {"broken": {2: "model.int8.onnx does not match the SHA-256"}},
            "does not load: model.int8.onnx does not match",
        ),
        ({"hanging": {2}}, "did not load within 60 s"),
        ({"refused": {2}}, "is refused: it says"),
    ],
    ids=["broken", "hanging", "refused"],
)
async def test_a_version_that_cannot_serve_ends_the_rollout_and_leaves_nothing_behind(platform, fault, reason):
    for name, value in fault.items():
        setattr(platform.target, name, value)
    platform.start()
    told = await platform.until("aborted")
    assert reason in told["reason"]
    assert platform.gateways.weights() == [{1: 1.0}]
    assert set(platform.target.views) == {1}
    assert platform.champion() == 1
    await platform.rounds(5)
    assert platform.controller.decision == Wait("version 1 serves", settled=True)


async def test_a_challenger_that_labels_otherwise_than_allowed_goes_back_before_it_answers_anybody(platform):
    platform.start()
    await platform.until("shadow")
    seen = Observations({1: arm(400), 2: arm(400)}, compared=400, disagreed=180, neutral_flips=180)
    platform.gateways.counts = {"gateway-1": seen}
    told = await platform.until("aborted")
    assert "different labels to 45 % of 400 texts; at most 25 % are allowed" in told["reason"]
    assert all(weights.get(2, 0.0) == 0.0 for weights in platform.gateways.weights())
    assert told["numbers"]["disagreement"] == 0.45


async def test_counts_of_a_gateway_that_died_are_kept_and_none_is_counted_twice(platform):
    platform.start(auto=False)
    await platform.until("shadow")
    platform.gateways.counts = {"gateway-1": Observations(compared=100), "gateway-2": Observations(compared=50)}
    await platform.rounds(5)
    platform.gateways.counts = {"gateway-1": Observations(compared=130), "gateway-3": Observations(compared=7)}
    await platform.rounds(5)
    platform.controller = platform.new_controller()
    await platform.rounds(5)
    assert platform.status()["compared"]["compared"] == 187
    commands.give_command(platform.store, MODEL, Command.PROMOTE, platform.clock.now_ms())
    await platform.until("canary")
    platform.gateways.counts = {"gateway-1": Observations(compared=11)}
    await platform.rounds(5)
    assert platform.status()["compared"]["compared"] == 198


async def test_abort_is_one_change_of_the_table(platform):
    platform.start(plan="50,100", auto=False)
    await platform.until("canary")
    await platform.rounds(1)
    commands.give_command(platform.store, MODEL, Command.ABORT, platform.clock.now_ms())
    await platform.rounds(2)
    assert platform.gateways.weights()[-2:] == [{1: 0.5, 2: 0.5}, {1: 1.0}]
    told = await platform.until("aborted")
    assert told["reason"] == "asked to abort"
    assert set(platform.target.views) == {1}


async def test_abort_while_the_old_champion_drains_takes_the_alias_back(platform):
    platform.start(plan="100")
    await platform.until("draining")
    assert platform.champion() == 2
    commands.give_command(platform.store, MODEL, Command.ABORT, platform.clock.now_ms())
    await platform.until("aborted")
    assert platform.champion() == 1
    assert platform.gateways.weights()[-1] == {1: 1.0}


async def test_pause_holds_a_rollout_and_resume_lets_it_go_on(platform):
    platform.start(hold_s=3)
    await platform.until("shadow")
    commands.give_command(platform.store, MODEL, Command.PAUSE, platform.clock.now_ms())
    await platform.rounds(20)
    assert (platform.status()["state"], platform.status()["phase"]) == ("paused", "shadow")
    commands.give_command(platform.store, MODEL, Command.RESUME, platform.clock.now_ms())
    await platform.until("canary", most=8)


async def test_what_is_asked_while_the_controller_decides_is_not_lost(platform):
    platform.start(plan="50,100", auto=False)
    await platform.until("canary")
    real = platform.controller.rollout_store.read

    def read():
        found = real()
        commands.give_command(platform.store, MODEL, Command.ABORT, platform.clock.now_ms())
        platform.controller.rollout_store.read = real
        return found

    commands.give_command(platform.store, MODEL, Command.PROMOTE, platform.clock.now_ms())
    platform.controller.rollout_store.read = read
    with pytest.raises(Conflict):
        await platform.controller.step()
    assert (await platform.until("aborted"))["reason"] == "asked to abort"
    assert all(weights.get(2, 0.0) < 1 for weights in platform.gateways.weights())


async def test_two_controllers_never_act_at_once(platform):
    second = platform.new_controller("two")
    assert await second.step() == Wait("another controller holds the lease")
    platform.clock.s += LEASE_MS / 1000 + 1
    assert await second.step() != Wait("another controller holds the lease")
    assert await platform.controller.step() == Wait("another controller holds the lease")
    second.close()
    assert await platform.controller.step() != Wait("another controller holds the lease")


async def test_a_controller_whose_lease_ends_while_it_reads_does_not_act(platform):
    platform.target.views.clear()
    real = platform.target.apps

    def slow():
        platform.clock.s += LEASE_MS / 1000 + 1
        return real()

    platform.target.apps, acts = slow, list(platform.target.acts)
    assert await platform.controller.step() == StartApplication(1)
    assert platform.target.acts == acts


async def test_the_list_of_models_says_what_each_version_does(platform):
    platform.start(plan="25,100", auto=False)
    await platform.until("canary")
    platform.target.views[2] = AppView(AppState.RUNNING, replicas=3)
    await platform.rounds(2)
    rows = read_listing(platform.store, MODEL)
    listed = {row["version"]: (row["state"], row["weight"], row["replicas"]) for row in rows}
    assert listed == {1: ("serving", 0.75, 0), 2: ("serving", 0.25, 3), 3: ("registered", 0.0, 0)}


async def test_a_challenger_that_loses_its_replicas_for_good_goes_back(platform):
    platform.start(plan="50,100", auto=False)
    await platform.until("canary")
    platform.target.views[2] = AppView(AppState.DOWN)
    told = await platform.until("aborted")
    assert told["phase"] == State.ABORTED
    assert "no healthy replica" in told["reason"]


async def test_commands_and_rounds_at_the_same_time_lose_nothing(platform):
    platform.start(plan="1,2,3,4,5,100", auto=False, hold_s=0)
    await platform.until("canary")
    for stage in range(2, 6):
        await asyncio.gather(
            platform.controller.step(),
            asyncio.to_thread(commands.give_command, platform.store, MODEL, Command.PROMOTE, platform.clock.now_ms()),
            return_exceptions=True,
        )
        await platform.rounds(3)
        assert platform.status()["stage"] == stage
