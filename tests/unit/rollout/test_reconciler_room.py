"""What a reconciler does with the room and the capacity that there is, and with versions of the fixed split."""

from __future__ import annotations

from sentiment.registry import CHAMPION
from serve_app.rollout.api import Rollouts
from serve_app.rollout.cluster.placement import Capacity
from serve_app.rollout.cluster.protocols import AppView
from serve_app.rollout.policy.decisions import AppState
from serve_app.routing.model_list import read_listing

MODEL = "sentiment"


async def test_a_version_gets_the_capacity_that_is_set_for_it(platform):
    platform.controller.capacity = Capacity(threads=2, versions={2: {"threads": 4, "replicas": 3}})
    platform.start(auto=False)
    await platform.until("shadow")
    assert platform.target.capacities[2] == Capacity(threads=4, replicas=3)


async def test_a_version_that_scales_starts_with_as_many_replicas_as_the_champion_has(platform):
    platform.controller.capacity = Capacity(max_replicas=6)
    platform.target.views[1] = AppView(AppState.RUNNING, replicas=4)
    platform.start(auto=False)
    await platform.until("shadow")
    assert platform.target.capacities[2].initial_replicas == 4
    assert Capacity(replicas=2, max_replicas=3).prewarmed(9).first_replicas == 3
    assert Capacity(replicas=2, max_replicas=3).prewarmed(1).first_replicas == 2
    assert Capacity(replicas=2).prewarmed(9).first_replicas == 2


async def test_a_rollout_without_room_waits_and_goes_on_when_there_is_some(platform):
    platform.target.lack = "version 2 needs 1 GPU, 0 are free"
    platform.start()
    await platform.rounds(100)
    assert platform.status()["state"] == "waiting"
    assert platform.status()["waits"].startswith("version 2 needs 1 GPU, 0 are free; free some resources")
    platform.target.lack = None
    assert (await platform.until("shadow"))["waits"] is None
    await platform.rounds(3)
    assert platform.status()["waits"] == "step shadow is held for 10 s"


async def test_a_version_that_the_fixed_split_has_loaded_needs_no_room(platform):
    await Rollouts(platform.store, platform.settings, platform.clock.now_ms).put_split({"b": 2})
    await platform.rounds(5)
    assert ("start", 2) in platform.target.acts
    platform.target.lack = "version 2 needs 1 GPU, 0 are free"
    platform.start(auto=False)
    await platform.until("shadow", most=10)
    assert platform.target.acts.count(("start", 2)) == 1


async def test_versions_without_room_are_not_started_and_the_list_says_why(platform):
    platform.target.lack = "version 2 needs about 1.5 GiB"
    await Rollouts(platform.store, platform.settings, platform.clock.now_ms).put_split({"b": 2})
    await platform.rounds(5)
    platform.registry.set_alias(MODEL, CHAMPION, 3)
    await platform.rounds(50)
    assert platform.target.acts == [("start", 1)]
    problems = {row["version"]: row["problem"] for row in read_listing(platform.store, MODEL)}
    assert problems[1] is None
    assert problems[2] == problems[3]
    assert problems[3] == "waits for resources: version 2 needs about 1.5 GiB; it starts once they are free"
    assert platform.controller.decision.reason == "version 2 needs about 1.5 GiB; free some resources"
    platform.target.lack = None
    await platform.rounds(50)
    assert {("start", 2), ("start", 3)} <= {*platform.target.acts}
    assert {row["problem"] for row in read_listing(platform.store, MODEL)} == {None}


async def test_what_serves_is_started_again_whatever_room_there_is(platform):
    platform.target.lack = "there is none"
    platform.target.views.pop(1)
    await platform.rounds(3)
    assert platform.target.acts == [("start", 1)] * 2


async def test_a_version_of_the_fixed_split_that_failed_is_tried_again_until_it_loads_and_the_list_says_so(platform):
    await Rollouts(platform.store, platform.settings, platform.clock.now_ms).put_split({"b": 2})
    platform.target.broken[2] = "the registry is away"
    await platform.rounds(5)
    listed = {row["version"]: (row["state"], row["problem"]) for row in read_listing(platform.store, MODEL)}
    assert listed[1] == ("serving", None)
    state, problem = listed[2]
    assert state == "failed"
    assert "does not load: the registry is away (attempt 1; the next one follows 1 min later" in problem
    await platform.rounds(100)
    assert platform.target.acts.count(("start", 2)) == 2
    [problem] = [row["problem"] for row in read_listing(platform.store, MODEL) if row["version"] == 2]
    assert "(attempt 2; the next one follows 2 min later" in problem
    platform.target.broken.clear()
    await platform.rounds(100)
    assert platform.gateways.weights()[-1] == {1: 1.0, 2: 0.0}
    assert {row["problem"] for row in read_listing(platform.store, MODEL)} == {None}
