"""Counts of gateways that come and go: none is lost or counted twice, and the record stays small."""

from __future__ import annotations

import json

from serve_app.rollout import commands
from serve_app.rollout.cluster.metrics_collector import GONE_AFTER_S
from serve_app.rollout.policy.record import GONE, KIND, Command
from serve_app.routing.observations import Observations
from tests.unit.rollout.rollouts import arm

MODEL = "sentiment"


def counted_by(platform) -> dict[str, dict]:
    """Return what the record keeps of the present stage, by gateway."""
    body = platform.store.get_document(KIND, MODEL).body
    return body["counts"].get(str(body["stage"]), {})


async def in_shadow(platform) -> None:
    platform.start(auto=False)
    await platform.until("shadow")
    await platform.rounds(1)


async def test_counts_of_gateways_that_are_gone_become_one_sum(platform):
    await in_shadow(platform)
    platform.gateways.counts = {"stays": Observations(compared=1)}
    for number in range(40):
        platform.gateways.counts = {"stays": Observations(compared=1), f"dies-{number}": Observations({1: arm(3)})}
        await platform.rounds(3)
    await platform.rounds(3, GONE_AFTER_S)
    assert set(counted_by(platform)) == {GONE, "stays", "dies-39"}
    told = platform.status()
    assert told["compared"]["compared"] == 1
    assert next(row["requests"] for row in told["versions"] if row["version"] == 1) == 3 * 40


async def test_the_record_stays_small_however_many_gateways_die(platform):
    await in_shadow(platform)
    sizes = []
    for number in range(60):
        platform.gateways.counts = {"stays": Observations(), f"dies-{number}": Observations({1: arm(3), 2: arm(3)})}
        await platform.rounds(3, GONE_AFTER_S / 5)
        sizes.append(len(json.dumps(counted_by(platform))))
    assert max(sizes[30:]) < 1.1 * max(sizes[:30])


async def test_a_gateway_that_was_taken_for_gone_and_is_back_is_not_counted_twice(platform):
    await in_shadow(platform)
    both = {"frozen": Observations(compared=50), "other": Observations(compared=7)}
    platform.gateways.counts = both
    await platform.rounds(3)
    platform.gateways.counts = {"other": Observations(compared=7)}
    await platform.rounds(3, GONE_AFTER_S)
    platform.gateways.counts = both | {"frozen": Observations(compared=51)}
    await platform.rounds(3)
    assert platform.status()["compared"]["compared"] == 57
    commands.give_command(platform.store, MODEL, Command.PROMOTE, platform.clock.now_ms())
    await platform.until("canary")
    await platform.rounds(3)
    assert platform.status()["compared"]["compared"] == 57 + 51 + 7  # of the new stage it is heard again


async def test_while_no_gateway_answers_none_is_gone(platform):
    await in_shadow(platform)
    platform.gateways.counts = {"one": Observations(compared=50)}
    await platform.rounds(3)
    platform.gateways.silent = True
    await platform.rounds(3, GONE_AFTER_S)
    platform.gateways.silent = False
    platform.gateways.counts = {"one": Observations(compared=60)}
    await platform.rounds(3)
    assert platform.status()["compared"]["compared"] == 60


async def test_a_stage_that_is_over_is_one_sum(platform):
    await in_shadow(platform)
    platform.gateways.counts = {name: Observations(compared=5) for name in "abc"}
    await platform.rounds(3)
    commands.give_command(platform.store, MODEL, Command.PROMOTE, platform.clock.now_ms())
    await platform.until("canary")
    kept = platform.store.get_document(KIND, MODEL).body["counts"]
    assert set(kept["1"]) == {GONE}
    assert kept["1"][GONE]["compared"] == 15
