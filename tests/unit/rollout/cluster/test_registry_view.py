"""When the registry is read, and when what it says is taken."""

from __future__ import annotations

import asyncio
import threading
from itertools import pairwise

import pytest

from sentiment.errors import RegistryUnavailable
from sentiment.registry import CHAMPION
from serve_app.rollout import reconciler
from serve_app.rollout.cluster.registry_view import STEADY_MS

MODEL, POLL_S = "sentiment", 4.0


@pytest.fixture
async def read_at(platform, monkeypatch):
    """Rest as a settled controller does, a look each second and a round each poll; return when it was read."""
    times, looks, real = [], [], platform.registry.versions
    apps = platform.target.apps
    monkeypatch.setattr(platform.registry, "versions", lambda name: times.append(platform.clock.s) or real(name))
    monkeypatch.setattr(platform.target, "apps", lambda: looks.append(platform.clock.s) or apps())
    for _ in range(20):
        await platform.rounds(1)
    assert platform.controller.decision.settled
    times.clear()
    looks.clear()
    for second in range(40):
        platform.clock.s += 1
        await (platform.controller.step() if second % 4 == 0 else platform.controller.has_news())
    assert len(looks) == 10
    return times


async def test_a_settled_controller_reads_the_registry_once_in_each_poll_at_most_a_second_late(read_at):
    gaps = [later - earlier for earlier, later in pairwise(read_at)]
    assert all(POLL_S <= gap <= POLL_S + 1 for gap in gaps)
    assert len(read_at) in (8, 9, 10)


async def test_an_answer_that_took_long_is_taken_while_the_controller_rests(platform, monkeypatch):
    monkeypatch.setattr(reconciler, "REGISTRY_PATIENCE_S", 0.05)
    await platform.rounds(3)
    platform.registry.set_alias(MODEL, CHAMPION, 3)
    answers, real = threading.Event(), platform.registry.versions
    monkeypatch.setattr(platform.registry, "versions", lambda name: (answers.wait(30), real(name))[1])
    await platform.rounds(1, seconds=POLL_S)
    assert not await platform.controller.has_news()
    answers.set()
    async with asyncio.timeout(20):
        while not await platform.controller.has_news():
            pass
    assert not await platform.controller.has_news()
    await platform.rounds(3)
    assert ("start", 3) in platform.target.acts


async def test_the_word_of_a_registry_that_was_away_is_final_once_it_has_answered_for_a_while(platform, monkeypatch):
    known, clock = platform.new_controller().registry_view, platform.clock

    async def asked_ms(later_s: float) -> int | None:
        clock.s += later_s
        await known.read(20.0)
        return known.asked_ms

    assert await asked_ms(0) is None
    assert await asked_ms(STEADY_MS / 1000) == clock.now_ms()

    def away(_):
        raise RegistryUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(platform.registry, "versions", away)
        assert await asked_ms(POLL_S) is None
    assert await asked_ms(POLL_S) is None
    assert await asked_ms(POLL_S) is None
    assert await asked_ms(POLL_S) == clock.now_ms()
