from __future__ import annotations

import asyncio
import time

import pytest

from sentiment.errors import DeadlineExceeded, InvalidInput, Unavailable
from serve_app.gateway.inference.answer_cache import AnswerCache
from serve_app.gateway.inference.failover import FailoverClassifier
from serve_app.gateway.inference.request import InferenceRequest, InferenceResult
from tests.unit.gateway.fake_parts import ROUTE, TRIAL, FakeParts


@pytest.fixture
def parts() -> FakeParts:
    return FakeParts()


@pytest.fixture
def classifier(parts: FakeParts) -> FailoverClassifier:
    return FailoverClassifier(parts.classify, AnswerCache(100), patience_s=0.05)


def on_trial(text: str) -> InferenceRequest:
    return InferenceRequest(text, TRIAL, fallback=ROUTE)


async def test_each_version_is_asked_once_about_all_its_texts(classifier, parts):
    own, served = await classifier.classify_with_failover(
        [InferenceRequest("love", ROUTE), on_trial("meh"), InferenceRequest("hate", ROUTE)]
    )
    assert [outcome.label for outcome in served] == ["positive", "negative", "negative"]
    assert served == own
    assert sorted(parts.asked) == [3, 4]


async def test_equal_texts_are_worked_out_once_a_version(classifier, parts):
    outcomes = await classifier.classify(
        [InferenceRequest("meh", ROUTE), InferenceRequest("meh", ROUTE), InferenceRequest("meh", TRIAL)]
    )
    again = await classifier.classify([InferenceRequest("meh", ROUTE), InferenceRequest("meh", TRIAL)])
    assert [outcome.label for outcome in outcomes] == ["neutral", "neutral", "negative"]
    assert [outcome.label for outcome in again] == ["neutral", "negative"]
    assert parts.classified == [["meh"], ["meh"]]


async def test_answers_that_cost_no_call_are_counted_by_version(classifier):
    await classifier.classify(
        [InferenceRequest("meh", ROUTE), InferenceRequest("meh", ROUTE), InferenceRequest("meh", TRIAL)]
    )
    await classifier.classify(
        [InferenceRequest("meh", ROUTE), InferenceRequest("meh", TRIAL), InferenceRequest("meh", TRIAL)]
    )
    assert classifier.events == {
        ("coalesced", "sentiment", "3"): 1,
        ("cache_hits", "sentiment", "3"): 1,
        ("cache_hits", "sentiment", "4"): 2,
    }


async def test_only_a_text_that_was_worked_out_has_a_call_time(classifier):
    [first, twin] = await classifier.classify([InferenceRequest("love", ROUTE), InferenceRequest("love", ROUTE)])
    [known] = await classifier.classify([InferenceRequest("love", ROUTE)])
    assert first.call_ms > 0
    assert twin.call_ms is None
    assert known.call_ms is None


async def test_what_a_version_on_trial_fails_on_the_leading_one_answers(classifier):
    own, served = await classifier.classify_with_failover([on_trial("love venom"), on_trial("meh")])
    assert isinstance(own[0], InvalidInput)
    assert (served[0].route, served[0].label) == (ROUTE, "positive")
    assert served[1].route == TRIAL
    assert classifier.events == {("failovers", "sentiment", "4"): 1}


async def test_a_version_on_trial_that_is_gone_costs_nobody_the_answer(classifier, parts):
    parts.trial_gone = True
    own, served = await classifier.classify_with_failover([on_trial("love"), on_trial("hate")])
    assert all(isinstance(outcome, Unavailable) for outcome in own)
    assert [outcome.label for outcome in served] == ["positive", "negative"]


async def test_a_version_on_trial_that_is_late_is_not_waited_for(classifier, parts):
    parts.trial_delay_s = 5.0
    started = time.monotonic()
    own, served = await classifier.classify_with_failover([on_trial("love")])
    assert time.monotonic() - started < 2.0
    assert isinstance(own[0], DeadlineExceeded)
    assert served[0].route == ROUTE


async def test_long_texts_give_a_version_on_trial_more_time(classifier, parts):
    parts.trial_delay_s = 0.3
    _, served = await classifier.classify_with_failover([on_trial("love " * 200)])
    assert served[0].route == TRIAL


async def test_a_version_that_is_as_slow_as_the_leading_one_is_not_late(classifier, parts):
    parts.delay_s = parts.trial_delay_s = 0.2
    await classifier.classify([InferenceRequest("hate", ROUTE)])
    _, served = await classifier.classify_with_failover([on_trial("love")])
    assert served[0].route == TRIAL


async def test_a_late_version_is_not_waited_for_by_way_of_another_call_either(classifier, parts):
    parts.trial_delay_s = 1.0
    patient = asyncio.create_task(classifier.classify([InferenceRequest("love", TRIAL)]))
    await asyncio.sleep(0)
    _, served = await classifier.classify_with_failover([on_trial("love")])
    assert served[0].route == ROUTE
    [outcome] = await patient
    assert outcome.route == TRIAL


async def test_without_a_fallback_the_failure_is_told(classifier):
    own, served = await classifier.classify_with_failover(
        [InferenceRequest("venom", TRIAL), InferenceRequest("poison", ROUTE)]
    )
    assert served == own
    assert all(isinstance(outcome, InvalidInput) for outcome in served)


async def test_a_text_without_words_asks_no_version(classifier, parts):
    own, served = await classifier.classify_with_failover([on_trial("")])
    assert isinstance(served[0], InvalidInput)
    assert served == own
    assert parts.asked == []


async def test_a_text_that_both_fail_on_gets_the_leading_versions_error(classifier):
    _, [served] = await classifier.classify_with_failover([on_trial("poison")])
    assert "cannot read this text" in str(served)


async def test_a_cancelled_call_leaves_nothing_in_flight(classifier, parts):
    parts.delay_s = 0.2
    task = asyncio.create_task(classifier.classify([InferenceRequest("love", ROUTE)]))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    parts.delay_s = 0.0
    [outcome] = await classifier.classify([InferenceRequest("love", ROUTE)])
    assert isinstance(outcome, InferenceResult)
