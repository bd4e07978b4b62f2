from __future__ import annotations

import asyncio

import pytest

from sentiment.errors import Overloaded
from serve_app.gateway.batching.micro_batcher import MicroBatcher, results_of


class Recorder:
    def __init__(self, delay_s: float = 0.0) -> None:
        self.batches: list[list[int]] = []
        self.delay_s = delay_s

    async def __call__(self, items: list[int]) -> list[int | Exception]:
        self.batches.append(items)
        await asyncio.sleep(self.delay_s)
        return [ValueError(item) if item < 0 else item * 2 for item in items]


def batcher(process: Recorder, **options: object) -> MicroBatcher[int, int]:
    return MicroBatcher(process, **({"max_items": 4, "gather_s": 0.01, "in_flight": 1, "max_queued": 16} | options))


async def test_results_come_back_in_the_order_of_the_items():
    process = Recorder()
    assert await batcher(process).submit([3, 1, 2, 5, 4, 6]) == [6, 2, 4, 10, 8, 12]
    assert max(len(batch) for batch in process.batches) <= 4


async def test_concurrent_calls_share_micro_batches():
    process = Recorder(delay_s=0.005)
    subject = batcher(process, max_items=64)
    answers = await asyncio.gather(*(subject.submit([number]) for number in range(16)))
    assert answers == [[2 * number] for number in range(16)]
    assert len(process.batches) <= 3


async def test_callers_that_come_back_one_after_the_other_share_a_micro_batch_again():
    process = Recorder(delay_s=0.2)
    subject = batcher(process, max_items=64, gather_s=1)

    async def caller(number: int) -> None:
        for _ in range(3):
            await subject.submit([number])
            await asyncio.sleep(number * 0.002)

    await asyncio.gather(*(caller(number) for number in range(8)))
    assert len(process.batches) <= 5  # one by one they would make a dozen


async def test_a_caller_alone_never_waits_for_others():
    subject = batcher(Recorder(), gather_s=60)
    for number in range(3):
        assert await asyncio.wait_for(subject.submit([number]), 1) == [2 * number]


async def test_an_error_of_one_item_leaves_the_others_alone():
    good, bad = await batcher(Recorder()).submit([1, -1])
    assert good == 2
    assert isinstance(bad, ValueError)


async def test_what_process_raises_reaches_every_caller_of_the_batch():
    async def fails(items: list[int]) -> list[int | Exception]:
        raise RuntimeError("gone")

    subject: MicroBatcher[int, int] = MicroBatcher(fails, 4, 0.001, 1, 16)
    assert [type(result) for result in await subject.submit([1, 2])] == [RuntimeError, RuntimeError]


async def test_more_than_the_queue_holds_is_refused():
    process = Recorder(delay_s=0.05)
    subject = batcher(process, max_queued=8)
    waiting = [asyncio.create_task(subject.submit([number])) for number in range(9)]
    await asyncio.sleep(0.01)
    with pytest.raises(Overloaded, match="8 texts are waiting"):
        await subject.submit([99])
    assert len(await asyncio.gather(*waiting)) == 9


async def test_a_cancelled_call_gives_up_its_place():
    process = Recorder(delay_s=0.02)
    subject = batcher(process)
    first = asyncio.create_task(subject.submit([1]))
    await asyncio.sleep(0.005)
    leaver = asyncio.create_task(subject.submit([2]))
    await asyncio.sleep(0.001)
    leaver.cancel()
    assert await first == [2]
    assert await subject.submit([3]) == [6]
    assert 2 not in [item for batch in process.batches for item in batch]


async def test_a_cancelled_call_gives_up_its_places_with_all_batchers():
    process = Recorder(delay_s=0.02)
    subjects = [batcher(process), batcher(process)]
    first = [subject.enqueue([1]) for subject in subjects]
    leaver = asyncio.create_task(results_of(*(subject.enqueue([2]) for subject in subjects)))
    await asyncio.sleep(0.001)
    leaver.cancel()
    assert await results_of(*first) == [[2], [2]]
    assert [await subject.submit([3]) for subject in subjects] == [[6], [6]]
    assert 2 not in [item for batch in process.batches for item in batch]


async def test_single_texts_go_before_bulk_ones_of_which_a_share_still_goes():
    process = Recorder(delay_s=0.01)
    subject = batcher(process, max_items=4, max_queued=100)
    first = asyncio.create_task(subject.submit([0]))
    await asyncio.sleep(0)
    bulk = asyncio.create_task(subject.submit(list(range(100, 108)), bulk=True))
    singles = asyncio.create_task(subject.submit(list(range(1, 7))))
    await asyncio.gather(first, bulk, singles)
    assert process.batches[1] == [1, 2, 3, 100]


async def test_bulk_texts_fill_micro_batches_that_no_single_text_wants():
    process = Recorder()
    await batcher(process).submit(list(range(8)), bulk=True)
    assert process.batches == [[0, 1, 2, 3], [4, 5, 6, 7]]


async def test_a_caller_that_comes_long_after_a_crowd_does_not_wait_for_it():
    subject = batcher(Recorder(delay_s=0.02), gather_s=60)
    await asyncio.gather(*(subject.submit([number]) for number in range(8)))
    assert subject._wait_s() > 0
    await asyncio.sleep(0.1)
    assert subject._wait_s() == 0
    assert await asyncio.wait_for(subject.submit([1]), 1) == [2]


async def test_a_batcher_that_follows_another_sends_with_it_or_soon_after_and_never_holds_it_up():
    first, second = Recorder(delay_s=0.05), Recorder(delay_s=60.0)
    leads = batcher(first, max_items=64, gather_s=0.2)
    follows = batcher(second, max_items=64, gather_s=0.2, follows=leads)
    busy = asyncio.create_task(leads.submit([1]))
    await asyncio.sleep(0.01)
    hanging = [asyncio.create_task(follows.submit([number])) for number in (2, 3)]
    await asyncio.sleep(0.01)
    assert second.batches == []
    await leads.submit([4])
    assert second.batches == [[2, 3]]
    assert await asyncio.wait_for(leads.submit([5]), 1) == [10]
    await busy
    for task in hanging:
        task.cancel()


def led_and_tried(led: Recorder, tried: Recorder, **options: object) -> tuple[MicroBatcher, MicroBatcher]:
    """Return a batcher, and one that follows it and takes all even numbers."""
    options = {"max_items": 64, "gather_s": 0.01} | options
    leads = batcher(led, **options)
    follows = batcher(tried, **options, follows=leads, claim=lambda items: [(each, each % 2 == 0) for each in items])
    return leads, follows


async def test_texts_that_another_takes_come_back_to_their_callers_in_order():
    led, tried = Recorder(), Recorder()
    leads, _ = led_and_tried(led, tried)
    assert await leads.submit([1, 2, 3, 4, 5]) == [2, 4, 6, 8, 10]
    assert (led.batches, tried.batches) == ([[1, 3, 5]], [[2, 4]])


async def test_a_batcher_keeps_its_turn_for_a_micro_batch_that_another_took():
    led, tried = Recorder(0.1), Recorder(0.1)
    leads, follows = led_and_tried(led, tried, gather_s=1.0)
    await leads.submit([1])
    taken = asyncio.create_task(leads.submit([2, 4]))
    await asyncio.sleep(0.01)
    then = [asyncio.create_task(leads.submit([number])) for number in (3, 5, 7)]
    await asyncio.sleep(0.05)
    assert (led.batches, leads.idle, follows.idle) == ([[1]], False, False)
    await asyncio.gather(taken, *then)
    assert (led.batches, tried.batches) == ([[1], [3, 5, 7]], [[2, 4]])


async def test_a_turn_that_is_kept_in_vain_is_hardly_longer_than_a_micro_batch():
    led, tried = Recorder(0.05), Recorder(60.0)
    leads, follows = led_and_tried(led, tried)
    await leads.submit([1])
    hanging = [asyncio.create_task(leads.submit([2]))]
    await asyncio.sleep(0.01)
    started = asyncio.get_running_loop().time()
    assert await leads.submit([3]) == [6]
    assert 0.08 < asyncio.get_running_loop().time() - started < 0.3  # the rest of a turn of 75 ms, then 50 ms
    hanging.append(asyncio.create_task(leads.submit([4])))
    await asyncio.sleep(0.01)
    assert (leads.idle, follows.queued) == (True, 1), "no turn is kept for what cannot begin"
    for task in hanging:
        task.cancel()


async def test_one_slow_micro_batch_of_another_is_not_held_against_it_once_it_is_quick_again():
    led, tried = Recorder(0.05), Recorder(0.2)
    leads, _ = led_and_tried(led, tried)
    await leads.submit([1])
    await leads.submit([2])
    tried.delay_s = 0.05
    kept = []
    for number in (4, 6):
        taken = asyncio.create_task(leads.submit([number]))
        await asyncio.sleep(0.01)
        kept.append(not leads.idle)
        await taken
    assert kept == [False, True]


async def test_bulk_items_that_another_takes_are_bulk_items_there():
    tried = Recorder(0.05)
    leads, follows = led_and_tried(Recorder(), tried, max_items=4)
    busy = asyncio.create_task(leads.submit([2]))
    await asyncio.sleep(0.01)
    bulk = asyncio.create_task(leads.submit([100, 102, 104, 106], bulk=True))
    await asyncio.sleep(0.02)
    assert not follows.has_room(16, bulk=True)
    assert follows.has_room(16)
    assert await bulk == [200, 204, 208, 212]
    await busy


async def test_a_turn_is_no_longer_than_the_longest():
    led, tried = Recorder(0.2), Recorder(60.0)
    leads, _ = led_and_tried(led, tried, longest_turn_s=0.05)
    await leads.submit([1])
    led.delay_s = 0.0
    hanging = asyncio.create_task(leads.submit([2]))
    await asyncio.sleep(0.01)
    started = asyncio.get_running_loop().time()
    await leads.submit([3])
    assert 0.03 < asyncio.get_running_loop().time() - started < 0.15
    hanging.cancel()


async def test_an_error_of_the_one_that_takes_reaches_every_caller_of_the_micro_batch():
    def fails(items: list[int]) -> list[tuple[int, bool]]:
        raise RuntimeError("gone")

    leads = batcher(Recorder(0.05))
    busy = asyncio.create_task(leads.submit([1]))
    await asyncio.sleep(0.01)
    batcher(Recorder(), follows=leads, claim=fails)
    waiting = [asyncio.create_task(leads.submit([number])) for number in (2, 3)]
    await busy
    answers = [answer for call in waiting for answer in await asyncio.wait_for(call, 1)]
    assert [type(answer) for answer in answers] == [RuntimeError] * 2
    await asyncio.wait_for(leads.quiet(), 1)


async def test_who_waits_for_quiet_is_told_where_all_was_taken_and_nothing_begins():
    leads, follows = led_and_tried(Recorder(0.05), Recorder(60.0), gather_s=0.1)
    hanging = [asyncio.create_task(follows.submit([2]))]
    await asyncio.gather(*(leads.submit([number]) for number in (1, 3, 5)))  # two of them a crowd
    hanging.append(asyncio.create_task(leads.submit([4])))
    await asyncio.sleep(0)
    assert not leads.idle
    await asyncio.wait_for(leads.quiet(), 1)
    for task in hanging:
        task.cancel()
