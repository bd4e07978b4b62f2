"""What the prediction service does with a version on trial: canary, failing over, shadow traffic, and the counts."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from sentiment.errors import InvalidInput, NotFound, Overloaded
from sentiment.records import RawText
from serve_app.gateway.canary.shadow import MAX_TEXTS, Answered
from serve_app.gateway.inference.request import InferenceRequest
from serve_app.routing.observations import Observations
from serve_app.routing.router import Preference
from serve_app.routing.traffic_table import TrafficTable
from tests.unit.gateway.fake_parts import (
    ROUTE,
    TRIAL,
    FakeParts,
    alternating,
    canary_of,
    in_turn,
    mirrored,
    seen_by,
    service_of,
)

LOVE, HATE, MEH = RawText("love"), RawText("hate"), RawText("meh", id="m-1")


@pytest.fixture
def parts() -> FakeParts:
    return FakeParts()


async def test_texts_are_shared_by_weight_and_kept_under_the_version_that_answered(parts):
    service = service_of(parts, canary_of(0.5), draw=alternating(), drawn_together=1)
    texts = [RawText(f"meh {number}", id=f"t-{number}") for number in range(6)]
    answers = await service.predict(texts)
    assert [answer.version for answer in answers] == [3, 4] * 3
    assert [answer.label for answer in answers] == ["neutral", "negative"] * 3
    assert [parts.store.get(f"t-{number}").model_version for number in range(6)] == [3, 4] * 3


async def test_a_call_that_the_trusted_versions_queue_refuses_is_kept_in_no_part(parts):
    parts.delay_s = parts.trial_delay_s = 0.02
    options = {"max_queued": 10, "max_items": 4, "in_flight": 1}
    service = service_of(parts, canary_of(0.5), draw=lambda: 0.1, **options)
    busy = asyncio.create_task(service.predict([RawText(f"busy {n}") for n in range(6)]))
    await asyncio.sleep(0.01)
    service.draw = alternating()
    calls = [[RawText(f"{name} {n}", id=f"{name}-{n}") for n in range(8)] for name in "abc"]
    answers = await asyncio.gather(*map(service.predict, calls), busy, return_exceptions=True)
    await asyncio.sleep(0.1)
    kept = [sum(parts.store.get(raw.id) is not None for raw in call) for call in calls]
    assert kept == [0 if isinstance(answer, Overloaded) else 8 for answer in answers[:3]]
    assert 0 in kept


async def test_a_version_without_weight_is_asked_nothing(parts):
    service = service_of(parts, canary_of(0.0))
    await service.predict([LOVE, HATE, MEH])
    assert set(parts.asked) == {3}


async def test_a_slow_version_on_trial_makes_no_text_of_the_leading_one_wait(parts):
    service = service_of(parts, canary_of(0.5), draw=alternating(), drawn_together=1, in_flight=1, failover_s=5.0)
    parts.trial_delay_s = 1.0
    await service.probe("warm")
    slow = asyncio.create_task(service.predict([LOVE, HATE]))
    await asyncio.sleep(0.02)
    started = time.monotonic()
    [answer] = await service.predict([MEH])
    assert answer.version == 3
    assert time.monotonic() - started < 0.5
    assert [answer.version for answer in await slow] == [3, 4]


async def test_a_version_on_trial_that_fails_costs_no_answer_and_is_counted(parts):
    service = service_of(parts, canary_of(0.4), draw=lambda: 0.9)
    answers = await service.predict([RawText("love venom"), RawText("meh")])
    assert [(answer.version, answer.label) for answer in answers] == [(3, "positive"), (4, "negative")]
    seen = seen_by(service)
    assert (seen.arm(4).requests, seen.arm(4).errors) == (2, 1)
    assert (seen.arm(3).requests, seen.arm(3).errors) == (1, 0)


async def test_the_champion_answers_in_the_challengers_place_as_long_as_it_has_traffic(parts):
    service = service_of(parts, canary_of(0.9), draw=lambda: 0.5)
    assert [answer.version for answer in await service.predict([RawText("love venom"), LOVE])] == [3, 4]


async def test_the_champion_answers_what_a_challenger_with_all_the_traffic_fails_on_while_it_is_loaded(parts):
    service = service_of(parts, canary_of(1.0))
    assert [answer.version for answer in await service.predict([RawText("hate venom"), LOVE])] == [3, 4]
    seen = seen_by(service)
    assert (seen.arm(4).requests, seen.arm(4).errors, seen.arm(3).requests) == (2, 1, 1)
    gone = TrafficTable(2, canary_of(1.0).routes[1:])
    [failed] = await service_of(parts, gone).predict([RawText("hate venom")])
    assert isinstance(failed, InvalidInput)


@pytest.mark.parametrize("dies", ["gone", "frozen"])
async def test_no_request_fails_while_a_challenger_with_all_the_traffic_dies(parts, dies):
    service = service_of(parts, canary_of(1.0), failover_s=0.1)
    assert [answer.version for answer in await service.predict([LOVE])] == [4]
    parts.trial_gone, parts.trial_delay_s = dies == "gone", 60.0 if dies == "frozen" else 0.0
    answers = await asyncio.gather(*(service.predict([RawText(f"love {n}")]) for n in range(30)))
    assert {answer.version for [answer] in answers} == {3}


async def test_texts_that_waited_too_long_for_a_version_on_trial_go_to_the_leading_one(parts):
    service = service_of(parts, canary_of(0.4), draw=lambda: 0.9, in_flight=1, failover_s=0.1)
    parts.trial_delay_s = 30.0
    answers = await asyncio.gather(*(service.predict([RawText(f"love {n}")]) for n in range(30)))
    assert {answer.version for [answer] in answers} == {3}


async def test_a_full_queue_of_a_version_on_trial_is_the_leading_ones_work(parts):
    service = service_of(parts, canary_of(0.4), draw=lambda: 0.9, in_flight=1, max_queued=4, max_items=4)
    parts.trial_delay_s = 0.2
    answers = await in_turn(service, [RawText(f"love {n}") for n in range(8)])
    assert [answer.version for answer in answers] == [4] * 5 + [3] * 3


async def test_a_text_whose_version_lost_its_weight_while_it_waited_goes_to_the_leading_one(parts):
    tables = [canary_of(0.4)]
    service = service_of(parts, tables[0], draw=lambda: 0.9, in_flight=1)
    service.table = lambda: tables[-1]
    parts.trial_delay_s = 0.05
    first = asyncio.create_task(service.predict([LOVE]))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(service.predict([HATE]))
    await asyncio.sleep(0.001)
    tables.append(canary_of(0.0))
    assert [(await task)[0].version for task in (first, second)] == [4, 3]


async def test_a_pinned_text_is_answered_by_its_version_or_not_at_all(parts):
    service = service_of(parts, canary_of(0.0))
    [answer] = await service.predict([MEH], preference=Preference(version=4))
    assert (answer.version, answer.label) == (4, "negative")
    [refused] = await service.predict([RawText("venom")], preference=Preference(version=4))
    assert isinstance(refused, InvalidInput)
    with pytest.raises(NotFound, match="loaded"):
        await service.predict([MEH], preference=Preference(version=9))


async def test_pinned_texts_tell_nothing_of_a_rollout(parts):
    service = service_of(parts, canary_of(0.0))
    await service.predict([MEH], preference=Preference(version=4))
    assert seen_by(service) == Observations()


async def test_what_versions_answer_is_counted_by_version_and_label(parts):
    service = service_of(parts, canary_of(0.5), draw=alternating(), drawn_together=1)
    await service.predict([LOVE, LOVE, MEH, MEH])
    await service.predict([LOVE, LOVE])
    seen = seen_by(service)
    assert seen.arm(3).answers_by_label == {"neutral": 1, "positive": 2}
    assert seen.arm(4).answers_by_label == {"negative": 1, "positive": 2}
    assert seen.arm(3).confidence_sum == pytest.approx(0.8 * 3)
    assert (seen.arm(4).requests, seen.arm(4).latency.total) == (3, 1)  # one call, then an answer from the cache


async def test_nothing_is_counted_while_no_rollout_is_under_way(parts):
    service = service_of(parts)
    await service.predict([LOVE])
    report = service.metrics.report()
    assert (report["rollout"], report["stage"]) == (None, 0)
    assert Observations.from_json(report["counts"]) == Observations()


async def test_each_stage_begins_with_empty_counts(parts):
    tables = [canary_of(0.4)]
    service = service_of(parts, tables[0])
    service.table = lambda: tables[-1]
    await service.predict([LOVE])
    assert service.metrics.report()["stage"] == 1
    tables.append(canary_of(0.5, stage=2))
    report = service.metrics.report()
    assert (report["rollout"], report["stage"], report["gateway"]) == ("r-1", 2, service.metrics.gateway)
    assert Observations.from_json(report["counts"]) == Observations()


async def test_shadow_texts_are_compared_and_nobody_hears_the_answers(parts):
    service = service_of(parts, canary_of(0.0, shadow=1.0))
    answers = await service.predict([LOVE, MEH, HATE])
    assert [(answer.version, answer.label) for answer in answers] == [(3, "positive"), (3, "neutral"), (3, "negative")]
    seen = await mirrored(service, 3)
    assert (seen.compared, seen.disagreed, seen.neutral_flips) == (3, 1, 1)
    [example] = seen.examples
    assert (example.id, example.champion_label, example.challenger_label) == ("m-1", "neutral", "negative")
    assert parts.store.get("m-1").model_version == 3


async def test_a_share_of_the_micro_batches_is_mirrored(parts):
    service = service_of(parts, canary_of(0.0, shadow=0.25))
    points = iter([0.1, 0.2, 0.2, 0.9])  # each text draws for its route, each micro-batch for its mirror
    service.draw = lambda: next(points)
    service.mirror.draw = service.draw
    await service.predict([LOVE])
    await service.predict([HATE])
    assert (await mirrored(service, 1)).compared == 1


async def test_only_texts_that_both_worked_out_are_timed_in_the_shadow(parts):
    service = service_of(parts, canary_of(0.0))
    await service.predict([LOVE])
    service.table = lambda: canary_of(0.0, shadow=1.0)
    await service.predict([LOVE, HATE])
    seen = await mirrored(service, 2)
    assert seen.compared == 2
    assert seen.arm(4).latency.total == 1


async def test_errors_of_a_version_in_the_shadow_are_counted(parts):
    service = service_of(parts, canary_of(0.0, shadow=1.0))
    await service.predict([RawText("love venom"), MEH])
    seen = await mirrored(service, 2)
    assert (seen.arm(4).requests, seen.arm(4).errors, seen.compared) == (2, 1, 1)


async def test_a_version_that_hangs_in_the_shadow_counts_as_failing(parts):
    service = service_of(parts, canary_of(0.0, shadow=1.0))
    service.mirror.patience_s = 0.05
    parts.trial_delay_s = 30.0
    started = time.monotonic()
    await service.predict([LOVE, HATE, MEH])
    assert time.monotonic() - started < 5.0
    seen = await mirrored(service, 1)
    assert (seen.arm(4).requests, seen.arm(4).errors) == (1, 1)  # one call, however many texts it held


async def test_what_is_too_much_for_the_shadow_is_dropped_and_counted(parts):
    service = service_of(parts, canary_of(0.0, shadow=1.0))
    parts.trial_delay_s = 30.0
    [judged] = await service.classifier.classify([InferenceRequest("love", ROUTE)])
    unit = [Answered(str(number), "love", judged) for number in range(MAX_TEXTS // 2)]
    for _ in range(3):
        service.mirror._enqueue(TRIAL, unit, timed=True)
    assert seen_by(service).mirror_dropped == len(unit)


async def test_a_deleted_text_leaves_the_shadows_queue(parts):
    service = service_of(parts, canary_of(0.0, shadow=1.0))
    await service.predict([LOVE])
    service.mirror.forget()
    await asyncio.sleep(0.4)
    assert 4 not in parts.asked


async def test_what_waits_for_a_shadow_that_has_ended_does_not_hold_up_the_next_one(parts):
    table = canary_of(0.0, shadow=1.0)
    service = service_of(parts, table)
    [judged] = await service.classifier.classify([InferenceRequest("love", ROUTE)])
    for route in (replace(TRIAL, app="classifier-v9", version=9), TRIAL):
        service.mirror._enqueue(route, [Answered("1", "love", judged)], timed=True)
    service.mirror.offer(table, [])
    assert [unit.route.app for unit in service.mirror._queue] == [TRIAL.app]
    assert service.mirror._queued == 1
