"""Traffic tables that are published, and the takeovers by the alias alone that the history keeps."""

from __future__ import annotations

import logging

import pytest

from sentiment.errors import StoreUnavailable
from sentiment.registry import CHAMPION
from serve_app.rollout import commands
from serve_app.rollout.policy.record import HISTORY_KIND

MODEL = "sentiment"


def history(platform) -> list[dict]:
    return commands.history(platform.store, MODEL, platform.clock.now_ms(), 10)[0]


async def until_published(platform, version: int) -> None:
    """Run rounds until a table gives a version all the traffic."""
    for _ in range(60):
        await platform.rounds(1)
        if platform.gateways.weights()[-1] == {version: 1.0}:
            return
    raise AssertionError(platform.controller.decision)


async def test_a_champion_moved_by_hand_takes_over_as_ever(platform):
    platform.registry.set_alias(MODEL, CHAMPION, 3)
    await platform.rounds(60)
    assert platform.gateways.weights()[-1] == {3: 1.0}
    assert set(platform.target.views) == {3}
    [told] = history(platform)
    assert (told["champion"], told["challenger"], told["state"]) == (1, 3, "done")
    assert told["reason"] == "the alias champion was moved to version 3 by hand"
    assert [(moment["state"], moment["share"]) for moment in told["moments"]] == [("done", 1.0)]
    assert told["traffic"] == [{"version": 3, "weight": 1.0, "shadow": 0.0}]


async def test_a_takeover_by_a_rollout_is_in_the_history_once(platform):
    platform.start()
    await platform.until("done")
    await platform.rounds(60)
    told = history(platform)
    assert [rollout["challenger"] for rollout in told] == [2]
    assert told[0]["id"] == platform.status()["id"]


async def test_the_moment_of_a_takeover_is_that_of_the_table_however_long_gateways_take_to_hear_of_it(platform):
    real, began_ms = platform.gateways.push, []

    async def slow(generation, body):
        began_ms.append(platform.clock.now_ms())
        platform.clock.s += 5
        await real(generation, body)

    platform.gateways.push = slow
    platform.registry.set_alias(MODEL, CHAMPION, 3)
    await until_published(platform, 3)
    [told] = history(platform)
    assert [moment["at_ms"] for moment in told["moments"]] == began_ms[-1:]


async def test_a_controller_killed_while_it_tells_the_gateways_has_noted_the_takeover(platform):
    async def killed(generation, body):
        raise KeyboardInterrupt

    platform.gateways.push = killed
    platform.registry.set_alias(MODEL, CHAMPION, 3)
    with pytest.raises(KeyboardInterrupt):
        await platform.rounds(60)
    assert [told["challenger"] for told in history(platform)] == [3]


async def test_gateways_hear_of_a_takeover_that_the_store_could_not_note_and_the_log_has_it(
    platform, monkeypatch, caplog
):
    real = platform.store.put_document

    def away(kind, *args):
        if kind == HISTORY_KIND:
            raise StoreUnavailable("The text store does not answer; try again later.")
        return real(kind, *args)

    monkeypatch.setattr(platform.store, "put_document", away)
    platform.registry.set_alias(MODEL, CHAMPION, 3)
    await until_published(platform, 3)
    assert history(platform) == []
    [said] = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert said.startswith("the takeover by version 3 at 1970-01-01T00:16:")
    assert said.endswith(" could not be written to the history: The text store does not answer; try again later.")
