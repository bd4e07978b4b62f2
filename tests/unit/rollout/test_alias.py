"""The alias `champion` moves late, or hangs, or the registry is away: no version that was aborted gets traffic."""

from __future__ import annotations

import asyncio
import dataclasses
import threading

import pytest

from sentiment.errors import RegistryUnavailable
from sentiment.registry import CHALLENGER, CHAMPION
from serve_app.rollout import commands, reconciler
from serve_app.rollout.policy.decisions import NameChampion, Transition, Wait
from serve_app.rollout.policy.record import Command, State
from serve_app.rollout.policy.rollback import LATE_MS
from serve_app.rollout.rollout_store import LEASE_KIND
from serve_app.routing.model_list import read_listing
from tests.unit.rollout.courses import RUNNING, after, moved
from tests.unit.rollout.rollouts import START_MS, rollout_of

MODEL = "sentiment"


class LateAlias:
    """Changes of an alias that time out at the controller's side and are carried out when the test says so."""

    def __init__(self, registry) -> None:
        self._real = registry.set_alias
        self.asked: list[tuple[str, str, int]] = []

    def set_alias(self, *asked) -> None:
        self.asked.append(asked)
        raise RegistryUnavailable("it took longer than 10 s")

    def land(self) -> None:
        self._real(*self.asked[0])


@pytest.fixture
async def full(platform):
    """A rollout that has all the traffic and whose alias the registry is about to be asked for."""
    platform.start(plan="50,100", auto=False)
    await platform.until("canary")
    commands.give_command(platform.store, MODEL, Command.PROMOTE, platform.clock.now_ms())
    return platform


@pytest.fixture
async def late(full, monkeypatch):
    late = LateAlias(full.registry)
    with monkeypatch.context() as patch:
        patch.setattr(full.registry, "set_alias", late.set_alias)
        await full.until("full")
        await full.rounds(5)
        assert late.asked[0] == (MODEL, CHAMPION, 2)
        commands.give_command(full.store, MODEL, Command.ABORT, full.clock.now_ms())
        await full.rounds(1)
    assert full.gateways.weights()[-1] == {1: 1.0}
    return late


@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize("lands_after", [1, 50])
async def test_an_alias_that_comes_late_gives_an_aborted_version_no_traffic(full, late, lands_after, is_killed):
    tables = len(full.gateways.tables)
    if is_killed:
        full.controller = full.new_controller()
    await full.rounds(lands_after)
    assert full.status()["state"] == "aborting"
    late.land()
    await full.until("aborted")
    await full.rounds(20)
    assert full.champion() == 1
    assert full.gateways.weights()[tables:] == []
    assert set(full.target.views) == {1}


async def test_while_the_registry_is_away_only_the_end_of_an_aborted_rollout_waits(full, late, monkeypatch):
    def away(_):
        raise RegistryUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(full.registry, "versions", away)
        await full.rounds(200)
        assert set(full.target.views) == {1}
        assert full.status()["state"] == "aborting"
        assert "the registry" in full.status()["waits"]
        full.controller = full.new_controller()
        await full.rounds(20)
        assert full.status()["state"] == "aborting"
    await full.until("aborted", most=30)
    await full.rounds(5)
    assert full.gateways.weights()[-1] == {1: 1.0}


def test_an_aborted_rollout_ends_once_the_registry_was_asked_long_after_it_was_asked_for_the_alias():
    aborting = rollout_of(State.ABORTING, 5, naming_ms=START_MS - 20_000)
    sure_ms = START_MS - 20_000 + LATE_MS
    for asked_ms in (None, START_MS, sure_ms - 1):
        waits = after(aborting, 1e3, apps={1: RUNNING}, asked_ms=asked_ms)
        assert isinstance(waits, Wait)
        assert "may still do so" in waits.reason
    assert moved(after(aborting, 1e3, apps={1: RUNNING}, asked_ms=sure_ms)) == (State.ABORTED, 5)
    long_ago = rollout_of(State.ABORTING, 5, naming_ms=START_MS - 2 * LATE_MS)
    assert isinstance(after(long_ago, 1e3, apps={1: RUNNING}, asked_ms=START_MS - 1), Wait)
    assert isinstance(after(long_ago, 1e3, apps={1: RUNNING}, asked_ms=START_MS), Transition)


def test_a_rollout_whose_alias_has_moved_forgets_that_it_was_asked_for():
    full = rollout_of(State.FULL, 5, naming_ms=START_MS)
    assert full.with_decision(full.decisions[-1]).naming_ms == START_MS
    draining = full.decisions[-1].model_copy(update={"state": State.DRAINING})
    assert full.with_decision(draining).naming_ms is None


def test_while_an_alias_is_being_moved_no_other_is():
    busy = "the registry is asked to move the alias champion to version 2"
    assert after(rollout_of(State.FULL, 5), 1e3) == NameChampion(2)
    assert after(rollout_of(State.FULL, 5), 1e3, busy=busy) == Wait(busy)
    aborting = rollout_of(State.ABORTING, 5)
    assert after(aborting, 1e3, champion=2) == NameChampion(1)
    assert after(aborting, 1e3, champion=2, apps={1: RUNNING}, busy=busy) == Wait(busy)
    assert after(aborting, 1e3, challenger=2, apps={1: RUNNING}, busy=busy) == Wait(busy)


async def one_round(platform) -> None:
    platform.clock.s += 1
    await asyncio.wait_for(platform.controller.step(), 5)


@pytest.fixture
async def hanging(full, monkeypatch):
    """Let the change of the alias hang; the event that is returned lets it go on."""
    monkeypatch.setattr(reconciler, "REGISTRY_PATIENCE_S", 0.05)
    answers, real, asked = threading.Event(), full.registry.set_alias, []

    def set_alias(*wanted):
        asked.append(wanted)
        answers.wait(60)
        real(*wanted)

    monkeypatch.setattr(full.registry, "set_alias", set_alias)
    await full.until("full")
    for _ in range(12):
        await one_round(full)
    assert asked == [(MODEL, CHAMPION, 2)]
    yield answers
    answers.set()


async def test_an_abort_is_in_the_table_after_one_round_although_the_change_of_the_alias_hangs(full, hanging):
    assert full.store.get_document(LEASE_KIND, MODEL).body["ends_ms"] > full.clock.now_ms()
    assert full.status()["waits"] == "the registry is asked to move the alias champion to version 2"
    commands.give_command(full.store, MODEL, Command.ABORT, full.clock.now_ms())
    await one_round(full)
    assert full.gateways.weights()[-1] == {1: 1.0}
    tables = len(full.gateways.tables)
    await full.rounds(120)
    assert full.status()["state"] == "aborting"
    hanging.set()
    await full.until("aborted")
    assert (full.champion(), full.gateways.weights()[tables:]) == (1, [])


async def test_a_change_of_the_alias_that_hung_and_came_through_ends_the_rollout_as_ever(full, hanging):
    hanging.set()
    await full.until("done")
    assert full.champion() == 2


@pytest.mark.parametrize("alias", [CHAMPION, CHALLENGER])
async def test_a_version_of_other_labels_that_is_given_an_alias_in_mlflow_is_refused_with_the_reason(
    platform, monkeypatch, alias
):
    platform.settings = platform.settings.model_copy(update={"rollouts_automatic": True})
    platform.controller = platform.new_controller()
    real = platform.registry.versions

    def versions(name):
        others = dataclasses.replace(real(name)[2], labels=("negative", "positive"), aliases=(alias,))
        first = real(name)[0] if alias == CHALLENGER else dataclasses.replace(real(name)[0], aliases=())
        return [first, real(name)[1], others]

    monkeypatch.setattr(platform.registry, "versions", versions)
    await platform.rounds(40)
    assert platform.target.acts == [("start", 1)]
    assert platform.gateways.weights() == [{1: 1.0}]
    problems = {row["version"]: row["problem"] for row in read_listing(platform.store, MODEL)}
    assert "version 3 answers with negative, positive; sentiment stands for" in problems[3]
    assert (problems[1], problems[2]) == (None, None)
    assert "refused: version 3 answers with" in platform.controller.decision.reason
