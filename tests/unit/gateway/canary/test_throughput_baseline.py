"""Texts that are refused while a challenger has all the traffic: its failures where the champion got through more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from sentiment.errors import Overloaded
from sentiment.records import RawText
from serve_app.gateway.canary.throughput_baseline import LEAST_CALLS, ThroughputBaseline, Work
from serve_app.rollout.policy.analysis import analyse
from serve_app.rollout.policy.record import State
from serve_app.routing.router import Preference
from serve_app.routing.traffic_table import TrafficTable
from tests.unit.gateway.fake_parts import FakeGateway, FakeParts, canary_of, seen_by, service_of
from tests.unit.rollout.rollouts import rollout_of

CHAMPION, CHALLENGER = 3, 4
#: The challenger in the champion's place, which is still loaded, or which ended for it.
FULL = canary_of(1.0)
SWAPPED = TrafficTable(1, FULL.routes[1:], "r-1", 1, sides=(CHAMPION, CHALLENGER))


def work(characters: int, seconds: float, calls: int) -> Work:
    """Return work on texts of a hundred characters."""
    return Work(max(characters // 100, 1), characters, seconds, calls)


def told(overload: ThroughputBaseline, calls: Iterable[Work], *, refused: int = 1) -> list[bool]:
    """Return what each call tells, where so many texts are refused before each."""
    found = []
    for call in calls:
        for _ in range(refused):
            overload.record_refusal()
        found.append(overload.counts_refusal(CHALLENGER, CHAMPION, call))
    return found


def carried(characters_per_s: int, *, in_flight: int = 1) -> ThroughputBaseline:
    overload = ThroughputBaseline(in_flight)
    overload.record_work(CHAMPION, work(10 * characters_per_s, 5.0, 20), 1000.0)
    return overload


def test_what_a_version_refuses_that_gets_through_less_than_the_champion_did_is_its_failure():
    slow = [work(500, 1.0, 1)] * (LEAST_CALLS + 5)
    assert told(carried(1000), slow) == [False] * (LEAST_CALLS - 1) + [True] * 6


@pytest.mark.parametrize("characters", [1000, 900, 4000])
def test_what_a_version_refuses_that_gets_through_as_much_is_not(characters):
    assert not any(told(carried(1000), [work(characters, 1.0, 1)] * 50))


def test_calls_that_a_gateway_makes_at_once_add_up():
    calls = [work(500, 1.0, 1)] * 50
    assert any(told(carried(1000), calls))
    assert not any(told(carried(1000, in_flight=2), calls))


def test_refusals_between_two_calls_are_one_failure_and_without_any_there_is_none():
    slow = [work(500, 1.0, 1)] * 20
    assert sum(told(carried(1000), slow, refused=30)) == 20 - LEAST_CALLS + 1
    assert not any(told(carried(1000), slow, refused=0))


def test_where_nothing_is_known_of_the_champion_nothing_tells_against_its_successor():
    assert not any(told(ThroughputBaseline(1), [work(1, 9.0, 1)] * 50))


def test_what_the_champion_carried_counts_for_ten_minutes_and_at_its_most():
    overload = carried(1000)
    overload.record_work(CHAMPION, work(10, 0.1, 1), 1595.0)
    assert any(told(overload, [work(500, 1.0, 1)] * 20))
    overload = carried(1000)
    overload.record_work(CHAMPION, work(10, 0.1, 1), 1601.0)
    assert not any(told(overload, [work(500, 1.0, 1)] * 20))


def test_versions_that_are_gone_are_forgotten():
    overload = carried(1000)
    told(overload, [work(500, 1.0, 1)] * 20)
    overload.forget_others({9})
    assert not any(told(overload, [work(500, 1.0, 1)] * 20))


def test_only_a_challenger_with_all_the_traffic_has_succeeded_the_champion():
    assert canary_of(0.5).succeeded is None
    assert (FULL.succeeded, SWAPPED.succeeded) == (CHAMPION, CHAMPION)
    assert TrafficTable(1, FULL.routes[1:]).succeeded is None


async def take_over(
    parts: FakeParts,
    table: TrafficTable,
    *,
    before: Iterable[list[RawText]],
    bulk: bool = False,
    is_filled: bool = False,
) -> FakeGateway:
    """Let the champion answer texts without a rollout, then give its traffic to the challenger."""
    tables = [TrafficTable(1, canary_of(0.0).routes[:1])]
    service = service_of(parts, tables[0], in_flight=1, max_queued=4, max_items=4, failover_s=30.0, is_filled=is_filled)
    service.table = lambda: tables[-1]
    for texts in before:
        await service.predict(texts, bulk=bulk)
    tables.append(table)
    return service


async def press(service: FakeGateway, rounds: int, preference: Preference | None = None) -> int:
    """Ask for more texts at once than may wait; return how many calls were refused."""
    refused = 0
    for number in range(rounds):
        calls = [
            service.predict([RawText(f"love {number} {n}")], preference=preference or Preference()) for n in range(12)
        ]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        refused += sum(isinstance(answer, Overloaded) for answer in answers)
    return refused


def stop_of(service: FakeGateway) -> str | None:
    record = rollout_of(State.FULL, 1).model_copy(update={"champion": CHAMPION, "challenger": CHALLENGER})
    return analyse(record.with_counts(1, "gateway-1", service.metrics.report()["counts"])).stop


LONG = [[RawText("love " * 10_000 + str(number)) for number in range(4)]]
FEW = [[RawText(f"love {number} {n}") for n in range(4)] for number in range(2)]
MANY = [[RawText(f"love {number} {n}") for n in range(4)] for number in range(1600)]  # enough for two spans


@pytest.mark.parametrize("table", [FULL, SWAPPED], ids=["full", "in place"])
async def test_a_version_too_slow_for_the_champions_traffic_is_stopped_by_what_it_refuses(table):
    parts = FakeParts(trial_delay_s=0.02)
    service = await take_over(parts, table, before=MANY)
    assert await press(service, LEAST_CALLS + 6) > 20
    assert seen_by(service).arm(CHALLENGER).lost >= 4
    assert "version 4 failed on" in stop_of(service)


@pytest.mark.parametrize("before", [FEW, LONG], ids=["few texts before", "long texts before"])
@pytest.mark.parametrize("table", [FULL, SWAPPED], ids=["full", "in place"])
async def test_overload_that_the_champion_would_have_refused_too_stops_no_equal_version(table, before):
    service = await take_over(FakeParts(), table, before=before)
    assert await press(service, LEAST_CALLS + 6) > 20
    assert seen_by(service).arm(CHALLENGER).lost == 0
    assert stop_of(service) is None


async def test_refused_texts_that_are_pinned_to_a_version_tell_nothing_of_it():
    service = await take_over(FakeParts(trial_delay_s=0.02), FULL, before=MANY)
    assert await press(service, LEAST_CALLS + 6, Preference(version=CHALLENGER)) > 20
    assert seen_by(service).arm(CHALLENGER).lost == 0


@pytest.mark.parametrize("bulk", [True, False], ids=["many texts a call", "single texts"])
async def test_where_one_gateway_is_filled_first_only_calls_of_many_texts_tell_what_it_gets_through(bulk):
    slow = FakeParts(trial_delay_s=0.02)
    service = await take_over(slow, FULL, before=MANY, bulk=bulk, is_filled=True)
    assert await press(service, LEAST_CALLS + 6) > 20
    assert (stop_of(service) is not None) is bulk
