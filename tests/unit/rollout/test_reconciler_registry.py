"""Rounds of the controller while the registry is away or hangs."""

from __future__ import annotations

from contextlib import suppress

from sentiment.errors import RegistryUnavailable, Unavailable
from sentiment.registry import CHALLENGER
from serve_app.rollout import commands, reconciler
from serve_app.rollout.policy.record import Command

MODEL = "sentiment"


async def test_without_the_registry_what_serves_stays_and_a_rollout_goes_on(platform, monkeypatch):
    platform.start(plan="shadow,50,100")
    await platform.until("shadow")

    def away(name):
        raise RegistryUnavailable("away")

    monkeypatch.setattr(platform.registry, "versions", away)
    await platform.until("canary")


async def test_a_registry_that_hangs_does_not_keep_a_rollout_from_going_back(platform, registry_hangs, monkeypatch):
    platform.start(plan="50,100", auto=False)
    await platform.until("canary")
    answers = registry_hangs()
    monkeypatch.setattr(reconciler, "REGISTRY_PATIENCE_S", 0.01)
    commands.give_command(platform.store, MODEL, Command.ABORT, platform.clock.now_ms())
    await platform.rounds(4, seconds=0.1)
    assert platform.gateways.weights()[-1].get(2, 0.0) == 0.0
    answers.set()
    await platform.until("aborted")


async def test_a_controller_that_starts_without_the_registry_leaves_the_fixed_split_as_it_is(platform, monkeypatch):
    platform.store.put_document("split", MODEL, {"versions": {"b": 3}})
    await platform.rounds(10)
    assert platform.gateways.tables[-1]["split"] == {"b": 3}

    def away(name):
        raise RegistryUnavailable("away")

    monkeypatch.setattr(platform.registry, "versions", away)
    platform.controller = platform.new_controller()
    await platform.rounds(60)
    assert platform.gateways.tables[-1]["split"] == {"b": 3}
    assert set(platform.target.views) == {1, 3}


async def test_in_place_what_fails_while_the_registry_is_away_brings_the_champion_back(platform, monkeypatch):
    platform.registry.set_alias(MODEL, CHALLENGER, 2)
    platform.target.lack, platform.target.broken[2] = "version 2 needs 1 GPU, 0 are free", "model.int8.onnx is missing"
    platform.start(in_place=True)
    await platform.until("loading")

    def away(*_):
        raise RegistryUnavailable("away, like /srv/ann/mlflow.db")

    for method in ("versions", "set_alias", "remove_alias"):
        monkeypatch.setattr(platform.registry, method, away)
    await platform.rounds(60)
    assert platform.target.views[1].state == "running"
    assert (
        "remove the alias challenger, which failed and is tried again: away, like mlflow.db"
        in platform.status()["waits"]
    )


async def test_a_controller_that_starts_anew_refuses_no_version_before_it_has_heard_of_the_registry(
    platform, registry_hangs, monkeypatch
):
    platform.start(plan="50,100")
    await platform.until("checking")
    answers = registry_hangs()
    monkeypatch.setattr(reconciler, "REGISTRY_PATIENCE_S", 0.01)
    platform.controller = platform.new_controller()
    for _ in range(4):
        with suppress(Unavailable):  # the controller's loop takes the next round then
            await platform.rounds(1)
    assert platform.status()["state"] == "checking"
    answers.set()
    monkeypatch.setattr(reconciler, "REGISTRY_PATIENCE_S", 5.0)
    await platform.until("done")
