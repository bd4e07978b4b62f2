"""Going back is quick: it waits neither for a frozen gateway nor for a registry that hangs."""

from __future__ import annotations

import asyncio
import threading

import pytest

from serve_app.rollout import commands, reconciler
from serve_app.rollout.cluster import metrics_collector as counting
from serve_app.rollout.policy.record import Command
from serve_app.routing.observations import Observations
from tests.unit.rollout.rollouts import arm

MODEL = "sentiment"


@pytest.fixture
async def canary(platform):
    platform.start(plan="50,100", auto=False)
    await platform.until("canary")
    await platform.rounds(2)
    return platform


async def one_round(platform) -> None:
    platform.clock.s += 60
    await asyncio.wait_for(platform.controller.step(), 5)


async def test_an_abort_is_in_the_table_after_one_round_although_gateways_hang(canary, monkeypatch):
    async def hangs():
        await asyncio.sleep(30)

    monkeypatch.setattr(canary.gateways, "observations", hangs)
    commands.give_command(canary.store, MODEL, Command.ABORT, canary.clock.now_ms())
    await one_round(canary)
    assert canary.gateways.weights()[-1] == {1: 1.0}


async def test_a_round_does_not_wait_for_gateways_that_hang_and_a_later_one_has_their_counts(canary, monkeypatch):
    answers, real = asyncio.Event(), canary.gateways.observations

    async def hangs():
        await answers.wait()
        return await real()

    monkeypatch.setattr(counting, "PATIENCE_S", 0.01)
    monkeypatch.setattr(canary.gateways, "observations", hangs)
    canary.gateways.counts = {"gateway-1": Observations(compared=9)}
    for _ in range(3):
        await one_round(canary)
    assert canary.status()["compared"]["compared"] == 0
    answers.set()
    await asyncio.sleep(0)
    await one_round(canary)
    assert canary.status()["compared"]["compared"] == 9


async def test_an_abort_is_in_the_table_after_one_round_although_the_registry_hangs(
    canary, registry_hangs, monkeypatch
):
    answers = registry_hangs()
    monkeypatch.setattr(reconciler, "REGISTRY_PATIENCE_S", 30.0)
    commands.give_command(canary.store, MODEL, Command.ABORT, canary.clock.now_ms())
    await one_round(canary)
    assert canary.gateways.weights()[-1] == {1: 1.0}
    answers.set()


@pytest.fixture
def serve_hangs(canary, monkeypatch):
    """Let Ray Serve say nothing of the applications any more until the event that is returned is set."""
    answers, real = threading.Event(), canary.target.apps

    def apps():
        answers.wait(30)
        return real()

    monkeypatch.setattr(reconciler, "SERVE_PATIENCE_S", 0.05)
    monkeypatch.setattr(canary.target, "apps", apps)
    yield answers
    answers.set()


async def test_an_abort_is_in_the_table_after_one_round_although_serve_hangs(canary, serve_hangs):
    commands.give_command(canary.store, MODEL, Command.ABORT, canary.clock.now_ms())
    await one_round(canary)
    assert canary.gateways.weights()[-1] == {1: 1.0}
    serve_hangs.set()
    await canary.until("aborted")
    assert set(canary.target.views) == {1}


async def test_a_verdict_counts_although_serve_hangs_and_nothing_else_is_done(canary, serve_hangs):
    acts = list(canary.target.acts)
    commands.give_command(canary.store, MODEL, Command.PROMOTE, canary.clock.now_ms())
    await one_round(canary)
    await one_round(canary)
    assert (canary.status()["state"], canary.target.acts) == ("canary", acts)
    assert canary.status()["waits"] == "Ray Serve has not reported the state of the versions yet"
    seen = Observations({1: arm(400), 2: arm(400)}, compared=400, disagreed=180, neutral_flips=180)
    canary.gateways.counts = {"gateway-1": seen}
    canary.store.put_document("rollout", MODEL, {**canary.store.get_document("rollout", MODEL).body, "asked": None})
    await one_round(canary)
    assert canary.gateways.weights()[-1] == {1: 1.0}


async def test_a_verdict_is_in_the_table_in_the_round_that_finds_it(canary):
    seen = Observations({1: arm(400), 2: arm(400)}, compared=400, disagreed=180, neutral_flips=180)
    canary.gateways.counts = {"gateway-1": seen}
    await one_round(canary)
    assert canary.gateways.weights()[-1] == {1: 1.0}
    told = await canary.until("aborted")
    assert told["compared"]["compared"] == 400
    assert told["moments"][-1]["share"] == 0.0
