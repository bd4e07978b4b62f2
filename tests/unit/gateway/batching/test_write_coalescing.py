"""Both lanes of micro-batches share calls where they meet, and neither ever waits long for the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from sentiment.errors import Unavailable
from sentiment.records import Operation, Outcome, RawText
from serve_app.gateway.batching.write_coalescing import CoalescedCall, Lane, LaneActivity
from serve_app.routing.router import Preference
from tests.unit.gateway.fake_parts import FakeGateway, FakeParts, alternating, canary_of, seen_by, service_of


class Doubling:
    """Doubles numbers, and remembers its calls."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []

    async def __call__(self, items: list[int]) -> Sequence[int]:
        self.calls.append(list(items))
        await asyncio.sleep(0.01)
        if -1 in items:
            raise Unavailable("away")
        return [2 * item for item in items]


async def test_calls_of_one_moment_are_one_and_each_gets_its_own_results():
    call = Doubling()
    shared = CoalescedCall(call)
    assert await asyncio.gather(shared([1, 2]), shared([]), shared([3])) == [[2, 4], [], [6]]
    assert call.calls == [[1, 2, 3]]
    assert await shared([4]) == [8]


async def test_a_call_waits_for_another_as_long_as_it_may_and_goes_with_it_at_once():
    call = Doubling()
    shared = CoalescedCall(call)
    started = time.monotonic()
    waiting = asyncio.create_task(shared([1], 60.0))
    await asyncio.sleep(0.01)
    assert await shared([2]) == [4]
    assert (await waiting, call.calls) == ([2], [[1, 2]])
    assert await shared([3], 0.05) == [6]
    assert 0.05 < time.monotonic() - started < 5


async def test_an_error_reaches_all_and_an_end_of_one_caller_no_other():
    call = Doubling()
    shared = CoalescedCall(call)
    found = await asyncio.gather(shared([-1]), shared([3]), return_exceptions=True)
    assert [type(error) for error in found] == [Unavailable] * 2
    first, second = asyncio.create_task(shared([4])), asyncio.create_task(shared([5]))
    await asyncio.sleep(0.005)
    first.cancel()
    assert await second == [10]


def test_the_trusted_versions_lane_waits_a_little_and_only_for_what_began_with_it():
    lanes = LaneActivity()
    assert lanes.wait_s(Lane.PRIMARY, 100.0, 100.1) == lanes.wait_s(Lane.CANDIDATE, 100.0, 100.1) == 0.0
    with lanes.at_work(Lane.CANDIDATE, 100.001):
        assert lanes.wait_s(Lane.PRIMARY, 100.0, 100.1) == 0.01
        assert lanes.wait_s(Lane.PRIMARY, 100.0, 100.02) == pytest.approx(0.005)
        assert lanes.wait_s(Lane.PRIMARY, 100.2, 100.3) == 0.0, "an older one may hang"
    assert lanes.wait_s(Lane.PRIMARY, 100.0, 100.1) == 0.0
    with lanes.at_work(Lane.PRIMARY, 90.0):
        assert lanes.wait_s(Lane.CANDIDATE, 100.0, 100.1) == 0.05


class Parts(FakeParts):
    """Counts the calls that keep texts."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[int] = []

    async def write(self, operations: list[Operation]) -> list[Outcome]:
        self.written.append(len(operations))
        return await super().write(operations)


@pytest.fixture
def parts() -> Parts:
    return Parts()


def halves(parts: Parts, **options: object) -> FakeGateway:
    """Return a service that gives every second text to a version on trial."""
    fixed = {"draw": alternating(), "drawn_together": 1, "max_items": 50, "in_flight": 1}
    return service_of(parts, canary_of(0.5), **(fixed | options))


def texts(count: int, words: str) -> list[RawText]:
    return [RawText(f"{words} {number}", id=f"{words}-{number}") for number in range(count)]


async def answer_in_s(service: FakeGateway, words: str, version: int) -> float:
    """Ask one version, and return how long it took."""
    started = time.monotonic()
    [answer] = await service.predict(texts(1, words), preference=Preference(version=version))
    assert answer.version == version
    return time.monotonic() - started


async def test_texts_for_two_versions_are_kept_by_one_call(parts):
    parts.delay_s = parts.trial_delay_s = 0.03
    answers = await halves(parts).predict(texts(10, "meh"))
    assert [(answer.version, answer.label) for answer in answers] == [(3, "neutral"), (4, "negative")] * 5
    assert (parts.written, sorted(parts.asked)) == ([10], [3, 4])
    assert [parts.store.get(f"meh-{number}").model_version for number in range(10)] == [3, 4] * 5


async def test_what_comes_for_a_version_on_trial_goes_with_the_trusted_versions_next_texts(parts):
    parts.delay_s = parts.trial_delay_s = 0.05
    service = halves(parts, gather_s=1.0)
    first = asyncio.create_task(service.predict([RawText("first")]))
    await asyncio.sleep(0.01)
    rest = [asyncio.create_task(service.predict([text])) for text in texts(6, "then")]
    await asyncio.gather(first, *rest)
    assert (parts.cleaned, parts.asked) == ([1, 3, 3], [3, 3, 4])


@pytest.mark.parametrize("pinned", [True, False])
async def test_a_version_that_hangs_keeps_no_trusted_text_waiting(parts, pinned):
    service = halves(parts, failover_s=30.0)
    await service.predict(texts(4, "before"))
    parts.trial_delay_s = 3600.0
    preference = Preference(version=4) if pinned else Preference()
    service.draw = lambda: 0.9
    hanging = [asyncio.create_task(service.predict(texts(1, f"hang {n}"), preference=preference)) for n in range(3)]
    await asyncio.sleep(0.02)
    service.draw = lambda: 0.1
    took_s = [await answer_in_s(service, f"led {number}", 3) for number in range(5)]
    assert max(took_s) < 0.5
    for task in hanging:
        task.cancel()


async def test_a_trusted_version_that_hangs_keeps_no_text_of_another_waiting(parts):
    service = halves(parts)
    await service.predict(texts(4, "before"))
    parts.delay_s = 3600.0
    hanging = asyncio.create_task(service.predict(texts(1, "hang"), preference=Preference(version=3)))
    await asyncio.sleep(0.02)
    assert await answer_in_s(service, "tried", 4) < 0.5
    hanging.cancel()


async def test_one_late_call_of_a_version_on_trial_costs_the_trusted_texts_beside_it_next_to_nothing(parts):
    service = halves(parts, failover_s=5.0)
    parts.delay_s, parts.trial_delay_s = 0.05, 0.5
    led, tried = await asyncio.gather(answer_in_s(service, "led", 3), answer_in_s(service, "tried", 4))
    assert led < 0.3
    assert tried >= 0.5
    assert seen_by(service).arm(4).errors == 0
