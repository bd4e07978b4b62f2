from __future__ import annotations

import asyncio

import pytest

from sentiment.errors import Overloaded
from serve_app.gathering import MicroBatcher, results_of


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


async def test_a_micro_batch_is_done_before_what_it_leaves_for_later():
    later: asyncio.Future[int | Exception] = asyncio.get_running_loop().create_future()
    asked: list[list[int]] = []

    async def process(items: list[int]) -> list[int | Exception | asyncio.Future[int | Exception]]:
        asked.append(items)
        return [later if item == 1 else item for item in items]

    subject = MicroBatcher(process, max_items=4, gather_s=0.01, in_flight=1, max_queued=16)
    waiting = asyncio.create_task(subject.submit([1, 2]))
    await asyncio.sleep(0)
    assert await subject.submit([3]) == [3]
    assert (waiting.done(), asked) == (False, [[1, 2], [3]])
    later.set_result(4)
    assert await waiting == [4, 2]
