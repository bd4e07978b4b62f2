"""Texts of a version on trial share the trusted version's micro-batches while it keeps pace, and only then."""

from __future__ import annotations

import asyncio
import time

import pytest

from sentiment.errors import Unavailable
from sentiment.records import Operation, Outcome, RawText
from serve_app.prediction_service import PredictionService
from serve_app.steering import Preference
from serve_app.together import Together
from tests.unit.fake_parts import TRIAL, FakeParts, alternating, canary_of, seen_by, service_of


class Parts(FakeParts):
    """Counts the calls that keep texts, and refuses them where a test wants it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[int] = []
        self.away = False

    async def write(self, operations: list[Operation]) -> list[Outcome]:
        self.written.append(len(operations))
        if self.away:
            raise Unavailable("the sink is away")
        return await super().write(operations)


@pytest.fixture
def parts() -> Parts:
    return Parts()


def texts(count: int, words: str) -> list[RawText]:
    return [RawText(f"{words} {number}", id=f"{words}-{number}") for number in range(count)]


async def in_pace(parts: Parts, **options: object) -> PredictionService:
    """Return a service at half the traffic each, both versions of which have answered a few calls."""
    service = service_of(parts, canary_of(0.5), draw=alternating(), max_items=50, **({"in_flight": 1} | options))
    for number in range(5):
        await service.predict(texts(2, f"before {number}"))
    parts.cleaned.clear()
    parts.written.clear()
    parts.asked.clear()
    return service


async def at_work(service: PredictionService, parts: Parts) -> asyncio.Task[object]:
    """Give the service a micro-batch to work at, so that what comes next shares one."""
    parts.delay_s, service.draw = 0.03, lambda: 0.1
    work = asyncio.create_task(service.predict(texts(1, "busy")))
    await asyncio.sleep(0.01)
    parts.delay_s, service.draw = 0.0, alternating()
    parts.cleaned.clear()
    return work


async def test_versions_that_keep_pace_share_one_cleaning_and_one_write(parts):
    service = await in_pace(parts)
    answers = await service.predict(texts(10, "meh"))
    assert [(answer.version, answer.label) for answer in answers] == [(3, "neutral"), (4, "negative")] * 5
    assert (parts.cleaned, parts.written, sorted(parts.asked)) == ([10], [10], [3, 4])
    assert [parts.store.get(f"meh-{number}").model_version for number in range(10)] == [3, 4] * 5


async def test_a_version_of_which_nothing_is_known_goes_apart(parts):
    service = service_of(parts, canary_of(0.5), draw=alternating(), max_items=50)
    await service.predict(texts(10, "meh"))
    assert (sorted(parts.cleaned), sorted(parts.asked)) == ([5, 5], [3, 4])


async def test_texts_of_the_trusted_version_wait_a_little_for_others_and_no_longer(parts):
    service = await in_pace(parts, failover_s=5.0)
    busy = await at_work(service, parts)
    parts.trial_delay_s = 0.6
    started = time.monotonic()
    pairs = [asyncio.create_task(service.predict([text])) for text in texts(2, "meh")]
    [answer] = await pairs[0]
    assert (answer.version, time.monotonic() - started < 0.4) == (3, True)
    [answer] = await pairs[1]
    assert (answer.version, time.monotonic() - started >= 0.6) == (4, True)
    await busy
    assert (parts.cleaned, parts.written) == ([2], [1, 1, 1])
    assert [parts.store.get(f"meh-{number}").model_version for number in range(2)] == [3, 4]


async def test_a_version_that_was_waited_for_in_vain_goes_apart_for_a_while(parts):
    service = await in_pace(parts, failover_s=5.0)
    parts.trial_delay_s = 0.2
    await service.predict(texts(2, "late"))
    parts.trial_delay_s = 0.0
    parts.cleaned.clear()
    await service.predict(texts(4, "apart"))
    assert parts.cleaned == [2, 2]
    assert not service.together.keep_pace(3, {4}, time.monotonic() + 9)
    assert service.judge.call_s(TRIAL.version) < 0.1


async def test_the_next_micro_batch_does_not_wait_for_what_is_late(parts):
    service = await in_pace(parts, failover_s=5.0)
    parts.trial_delay_s = 1.0
    late = asyncio.create_task(service.predict(texts(2, "late")))
    await asyncio.sleep(0.1)
    service.draw = lambda: 0.1
    started = time.monotonic()
    [answer] = await service.predict(texts(1, "love"))
    assert (answer.version, time.monotonic() - started < 0.5) == (3, True)
    assert [answer.version for answer in await late] == [3, 4]


async def test_a_version_that_hangs_is_answered_for_and_counted_though_it_was_in_pace(parts):
    service = await in_pace(parts, failover_s=0.1)
    errors = seen_by(service).arm(4).errors
    parts.trial_delay_s = 60.0
    answers = await service.predict(texts(6, "love"))
    assert {answer.version for answer in answers} == {3}
    assert seen_by(service).arm(4).errors == errors + 1
    assert service.judge.events["failovers", "sentiment", "4"] == 3
    assert all(parts.store.get(f"love-{number}").model_version == 3 for number in range(6))


async def test_what_is_late_is_told_where_it_cannot_be_kept(parts):
    service = await in_pace(parts, failover_s=5.0)
    parts.trial_delay_s = 0.2
    asked = [asyncio.create_task(service.predict([text])) for text in texts(2, "meh")]
    await asked[0]
    parts.away = True
    [failed] = await asked[1]
    assert isinstance(failed, Unavailable)


async def test_texts_that_wait_long_in_the_shared_queue_are_not_late_for_the_version_on_trial(parts):
    service = await in_pace(parts, failover_s=0.05, gather_s=0.0)
    errors = seen_by(service).arm(4).errors
    parts.delay_s = parts.trial_delay_s = 0.2
    first = asyncio.create_task(service.predict(texts(2, "first")))
    await asyncio.sleep(0.02)
    service.judge._paces[3].seconds = 9.0  # so that the call itself has time
    answers = await service.predict(texts(2, "then"))
    await first
    assert [answer.version for answer in answers] == [3, 4]
    assert seen_by(service).arm(4).errors <= errors + 1  # the first call's, at most


async def test_pinned_texts_share_the_micro_batch_too(parts):
    service = await in_pace(parts)
    led, pinned, _ = await asyncio.gather(
        service.predict(texts(1, "love"), preference=Preference(version=3)),
        service.predict(texts(1, "meh"), preference=Preference(version=4)),
        await at_work(service, parts),
    )
    assert ([led[0].version, pinned[0].version], parts.cleaned) == ([3, 4], [2])


@pytest.mark.parametrize(
    ("trusted_s", "trial_s", "keeps"),
    [(0.02, 0.02, True), (0.02, 0.038, True), (0.02, 0.06, False), (0.001, 0.03, False)],
)
def test_a_version_keeps_pace_whose_calls_take_little_longer(parts, trusted_s, trial_s, keeps):
    judge = service_of(parts).judge
    together = Together(judge)
    assert not together.keep_pace(3, {4}, 0.0)
    for _ in range(5):
        judge._paces[3].note(trusted_s, 100)
        judge._paces[4].note(trial_s, 10)
    assert together.keep_pace(3, {4}, 0.0) is keeps
    together.part({4}, 5.0)
    assert not together.keep_pace(3, {4}, 14.9)
    assert together.keep_pace(3, {4}, 15.0) is keeps
