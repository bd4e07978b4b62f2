"""What is counted of a version on trial: a call that fails once, what the champion answers, what is drawn."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from sentiment.errors import Unavailable
from sentiment.records import Answers, RawText
from serve_app.rollout.policy.analysis import RolloutAnalysis, analyse
from serve_app.rollout.policy.record import State
from serve_app.routing.observations import Arm, Observations
from serve_app.routing.router import Preference
from serve_app.routing.traffic_table import Route
from tests.unit.gateway.fake_parts import (
    TRIAL,
    FakeGateway,
    FakeParts,
    alternating,
    canary_of,
    in_turn,
    mirrored,
    seen_by,
    service_of,
)
from tests.unit.rollout.rollouts import rollout_of


@pytest.fixture
def parts() -> FakeParts:
    return FakeParts()


def arm_of(service: FakeGateway, version: int = TRIAL.version) -> Arm:
    return seen_by(service).arm(version)


def judged(service: FakeGateway) -> RolloutAnalysis:
    record = rollout_of(State.CANARY, 1).model_copy(update={"champion": 3, "challenger": 4})
    return analyse(record.with_counts(1, "gateway-1", service.metrics.report()["counts"]))


def texts(count: int, words: str = "love") -> list[RawText]:
    return [RawText(f"{words} {number}") for number in range(count)]


def in_halves() -> Callable[[], float]:
    return random.Random(1).random


async def test_texts_that_are_late_for_a_version_on_trial_are_its_failures(parts):
    service = service_of(parts, canary_of(0.4), draw=lambda: 0.9, in_flight=1, failover_s=0.1, max_items=4)
    parts.trial_delay_s = 30.0
    await asyncio.gather(*(service.predict([text]) for text in texts(30)))
    arm = arm_of(service)
    assert arm.lost == arm.calls >= 2  # the call that hangs, then micro-batches that came to their texts too late
    assert service.classifier.events["failovers", "sentiment", "4"] == 30
    assert "failed on" in judged(service).stop


@pytest.mark.parametrize("limit", ["queue", "call"])
async def test_texts_that_are_late_for_both_versions_tell_of_the_machine_and_not_of_the_one_on_trial(parts, limit):
    found = []
    for champion_s in (0.0, 0.3):
        parts = FakeParts(delay_s=champion_s, trial_delay_s=0.4 if limit == "queue" else 9.0)
        options = {"draw": alternating(), "drawn_together": 1, "in_flight": 1, "failover_s": 0.1, "max_items": 4}
        service = service_of(parts, canary_of(0.4), **options)
        asked = 30 if limit == "queue" else 2
        await service.predict([RawText("so it is")])
        await asyncio.gather(*(service.predict([text]) for text in texts(asked)))
        assert service.classifier.events["failovers", "sentiment", "4"] >= 1
        found.append(arm_of(service).lost)
    assert found[0] >= 1
    assert found[1] == 0


async def test_a_slow_version_that_makes_the_champion_late_as_well_is_stopped_all_the_same(parts):
    service = service_of(parts, canary_of(0.4), draw=alternating(), in_flight=2, failover_s=0.02, max_items=1)
    await service.predict(texts(1, "before"))  # how long the champion takes is known from then on
    parts.delay_s, parts.trial_delay_s = 0.03, 1.0
    for number in range(3):
        await asyncio.gather(*(service.predict([text]) for text in texts(30, f"{number} love")))
    assert arm_of(service).lost > 10
    assert "failed on" in judged(service).stop


async def test_what_a_full_queue_of_a_version_on_trial_refuses_is_its_failure(parts):
    service = service_of(parts, canary_of(0.4), draw=lambda: 0.9, in_flight=1, max_queued=4, max_items=4)
    parts.trial_delay_s = 0.2
    answers = await in_turn(service, texts(8))
    assert {answer.version for answer in answers} == {3, 4}
    assert arm_of(service).lost >= 1
    assert arm_of(service, 3).errors == 0


async def test_a_text_whose_version_lost_its_weight_is_not_its_failure(parts):
    tables = [canary_of(0.4)]
    service = service_of(parts, tables[0], draw=lambda: 0.9, in_flight=1)
    service.table = lambda: tables[-1]
    parts.trial_delay_s = 0.05
    waiting = [asyncio.create_task(service.predict([text])) for text in texts(2)]
    await asyncio.sleep(0.02)
    tables.append(canary_of(0.0))
    await asyncio.gather(*waiting)
    assert arm_of(service).errors == 0


async def test_texts_that_neither_version_can_read_hide_none_that_the_champion_reads(parts):
    service = service_of(parts, canary_of(0.5), draw=in_halves(), max_items=50, max_queued=1000, failover_s=9.0)
    for number in range(40):
        await service.predict(texts(46, f"{number} so") + texts(2, f"{number} poison") + texts(2, f"{number} venom"))
    arm = arm_of(service)
    assert 0 < arm.unread < arm.errors
    assert "failed on" in judged(service).stop


async def test_texts_that_neither_version_can_read_stop_none(parts):
    service = service_of(parts, canary_of(0.5), draw=in_halves(), max_items=50, max_queued=1000, failover_s=9.0)
    for number in range(20):
        await service.predict(texts(40, f"{number} so") + texts(10, f"{number} poison"))
    arm = arm_of(service)
    assert (arm.errors > 50, arm.unread, judged(service).stop) == (True, 0, None)


async def test_a_version_that_no_champion_stands_in_for_fails_alone(parts):
    table = canary_of(1.0)
    service = service_of(parts, type(table)(1, table.routes[1:], "r-1", 1, sides=(3, 4)))
    parts.trial_gone = True
    await service.predict(texts(3))
    arm = arm_of(service)
    assert (arm.requests, arm.errors, arm.calls, arm.lost) == (1, 1, 1, 1)


async def test_a_call_that_fails_is_one_failure_however_many_texts_it_held(parts):
    service = service_of(parts, canary_of(0.5), draw=alternating(), max_items=50)
    parts.trial_gone = True
    answers = await service.predict(texts(40))
    assert {answer.version for answer in answers} == {3}
    arm = arm_of(service)
    assert (arm.requests, arm.errors, arm.calls, arm.lost) == (1, 1, 1, 1)


async def test_a_mirrored_call_that_fails_is_one_failure(parts):
    service = service_of(parts, canary_of(0.0, shadow=1.0), max_items=50)
    parts.trial_gone = True
    await service.predict(texts(40))
    arm = (await mirrored(service, 1)).arm(4)
    assert (arm.requests, arm.errors, arm.calls, arm.lost) == (1, 1, 1, 1)


async def test_a_version_that_loses_some_of_its_large_calls_is_stopped(parts):
    """Its failures are a small share of the texts, and a large one of the calls."""
    calls: list[int] = []
    whole = parts.classify

    async def classify(route: Route, some: list[str]) -> Answers:
        if route.version == TRIAL.version:
            calls.append(len(some))
            if len(calls) % 3 == 0:
                raise Unavailable("no classifier answered")
        return await whole(route, some)

    parts.classify = classify
    service = service_of(parts, canary_of(0.5), draw=in_halves(), max_items=200, max_queued=1000)
    for number in range(30):
        await service.predict(texts(200, f"love {number}"), bulk=True)
    assert arm_of(service).lost == 10
    assert "failed on 10 of 30 calls" in judged(service).stop


async def test_one_stall_of_both_versions_stops_no_rollout(parts):
    service = service_of(parts, canary_of(0.5), draw=in_halves(), max_items=224, max_queued=1000, failover_s=0.1)
    for number in range(28):
        await service.predict(texts(224, f"love {number}"), bulk=True)
    parts.trial_delay_s, parts.delay_s = 0.8, 0.05
    await service.predict(texts(224, "then"), bulk=True)
    assert arm_of(service).lost == 1
    assert judged(service).stop is None


async def test_one_slow_call_of_many_texts_is_one_time(parts):
    service = service_of(parts, canary_of(0.5), draw=in_halves(), max_items=224, max_queued=1000, failover_s=2.0)
    parts.trial_delay_s, parts.delay_s = 0.4, 0.01
    await service.predict(texts(220), bulk=True)
    arm = arm_of(service)
    assert (arm.calls, arm.latency.total) == (1, 1)
    assert "p99_ratio" not in judged(service).numbers
    assert judged(service).stop is None


@pytest.mark.parametrize("side", [3, 4])
async def test_texts_of_the_fixed_split_tell_nothing_of_a_rollout(parts, side):
    service = service_of(parts, canary_of(0.5, shadow=1.0, split={"batch": side}))
    await service.predict(texts(3), preference=Preference(split="batch"))
    await asyncio.sleep(0.4)  # longer than a mirrored text waits
    assert seen_by(service) == Observations()
    assert set(parts.asked) == {side}


async def test_the_turn_that_a_hanging_version_is_given_does_not_excuse_it():
    parts = FakeParts(delay_s=0.15)
    service = service_of(parts, canary_of(0.5), draw=lambda: 0.1, in_flight=1, failover_s=0.3)
    await service.predict(texts(1, "before"))
    parts.trial_delay_s = 3600.0
    for number in range(3):
        service.draw = lambda: 0.9
        hanging = asyncio.create_task(service.predict(texts(1, f"{number} tried")))
        await asyncio.sleep(0.01)
        service.draw = lambda: 0.1
        await asyncio.gather(hanging, service.predict(texts(1, f"{number} led")))
    assert arm_of(service).lost == 3
