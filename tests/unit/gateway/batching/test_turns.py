"""The turns of micro-batches: the next one begins while the rest of the last one's work is done, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator

import pytest

from sentiment.records import Operation, Outcome, RawText
from serve_app.gateway.batching.micro_batcher import MicroBatcher
from tests.unit.gateway.fake_parts import FakeParts, service_of


class InTwoSteps:
    """Answers items at once; what comes after waits until `may_end`, or for one of `ends` each."""

    def __init__(self) -> None:
        self.ends: Iterator[asyncio.Event] = iter([])
        self.begun: list[list[int]] = []
        self.ended: list[list[int]] = []
        self.may_end = asyncio.Event()

    async def __call__(self, items: list[int]) -> Awaitable[list[int | Exception]]:
        self.begun.append(items)
        return self._rest(items, next(self.ends, self.may_end))

    async def _rest(self, items: list[int], may_end: asyncio.Event) -> list[int | Exception]:
        await may_end.wait()
        self.ended.append(items)
        if -1 in items:
            raise RuntimeError("gone")
        return [item * 2 for item in items]


def batcher(process: InTwoSteps, **options: object) -> MicroBatcher[int, int]:
    return MicroBatcher(process, **({"max_items": 4, "gather_s": 0.0, "in_flight": 1, "max_queued": 16} | options))


async def moment() -> None:
    await asyncio.sleep(0.02)


async def test_the_next_micro_batch_begins_while_the_rest_of_the_last_one_is_done():
    process = InTwoSteps()
    subject = batcher(process)
    calls = [asyncio.create_task(subject.submit([number])) for number in (1, 2)]
    await moment()
    assert (process.begun, process.ended) == ([[1], [2]], [])
    process.may_end.set()
    assert await asyncio.gather(*calls) == [[2], [4]]


@pytest.mark.parametrize("in_flight", [1, 2])
async def test_no_more_than_may_be_under_way_are_at_their_rest(in_flight):
    process = InTwoSteps()
    subject = batcher(process, max_items=1, in_flight=in_flight)
    call = asyncio.create_task(subject.submit(list(range(8))))
    await moment()
    assert len(process.begun) == 2 * in_flight
    assert subject.stalled_s > 0.01
    process.may_end.set()
    assert await call == [2 * number for number in range(8)]


async def test_a_turn_that_waits_for_the_end_of_another_ends_with_it():
    process = InTwoSteps()
    subject = batcher(process, max_items=1)
    ends = [asyncio.Event() for _ in range(3)]
    process.ends = iter(ends)
    call = asyncio.create_task(subject.submit([1, 2, 3]))
    await moment()
    assert process.begun == [[1], [2]]
    ends[0].set()
    await moment()
    assert (process.begun, process.ended) == ([[1], [2], [3]], [[1]])
    for end in ends:
        end.set()
    assert await call == [2, 4, 6]


async def test_an_error_of_the_rest_reaches_every_caller_of_its_micro_batch_and_no_other():
    process = InTwoSteps()
    subject = batcher(process)
    bad, good = (asyncio.create_task(subject.submit(items)) for items in ([-1, 1], [2]))
    await moment()
    process.may_end.set()
    assert [type(result) for result in await bad] == [RuntimeError] * 2
    assert await good == [4]


async def test_a_batcher_is_idle_once_the_rest_is_done():
    process = InTwoSteps()
    subject = batcher(process)
    call = asyncio.create_task(subject.submit([1]))
    await moment()
    assert not subject.idle
    quiet = asyncio.create_task(subject.quiet())
    await moment()
    assert not quiet.done()
    process.may_end.set()
    await asyncio.wait_for(quiet, 1)
    assert subject.idle
    assert await call == [2]


async def test_a_turn_that_is_kept_for_another_ends_with_the_others_turn():
    tried = InTwoSteps()
    led = InTwoSteps()
    led.may_end.set()
    leads = batcher(led, gather_s=30.0, longest_turn_s=30.0)
    batcher(tried, follows=leads, claim=lambda items: [(item, item % 2 == 0) for item in items])
    taken = asyncio.create_task(leads.submit([2]))
    await moment()
    assert (tried.begun, tried.ended) == ([[2]], [])
    assert await asyncio.wait_for(leads.submit([3]), 1) == [6]
    tried.may_end.set()
    assert await taken == [4]


async def test_texts_are_classified_while_those_before_them_are_written_and_none_is_answered_unwritten():
    class SlowSink(FakeParts):
        async def write(self, operations: list[Operation]) -> list[Outcome]:
            await may_write.wait()
            return await super().write(operations)

    may_write, parts = asyncio.Event(), SlowSink()
    service = service_of(parts, in_flight=1)
    calls = []
    for words in ("first", "second", "third"):
        calls.append(asyncio.create_task(service.predict([RawText(f"{words} love")])))
        await moment()
    assert parts.classified == [["first love"], ["second love"]], "the third waits until one of them is written"
    assert not any(call.done() for call in calls)
    may_write.set()
    answers = [answer for call in calls for answer in await call]
    assert [answer.label for answer in answers] == ["positive"] * 3
    assert len(parts.store.get_many([answer.id for answer in answers])) == 3
