from __future__ import annotations

import asyncio
import time

import pytest

from sentiment.errors import DeadlineExceeded, InvalidInput, Unavailable
from serve_app.gateway.inference.answer_cache import AnswerCache
from serve_app.gateway.inference.failover import Judge, Judged, Question
from tests.unit.fake_parts import ROUTE, TRIAL, FakeParts


@pytest.fixture
def parts() -> FakeParts:
    return FakeParts()


@pytest.fixture
def judge(parts: FakeParts) -> Judge:
    return Judge(parts.classify, AnswerCache(100), patience_s=0.05)


def on_trial(text: str) -> Question:
    return Question(text, TRIAL, fallback=ROUTE)


async def test_each_version_is_asked_once_about_all_its_texts(judge, parts):
    said, told = await judge.judge([Question("love", ROUTE), on_trial("meh"), Question("hate", ROUTE)])
    assert [verdict.label for verdict in told] == ["positive", "negative", "negative"]
    assert told == said
    assert sorted(parts.asked) == [3, 4]


async def test_equal_texts_are_worked_out_once_a_version(judge, parts):
    verdicts = await judge.ask([Question("meh", ROUTE), Question("meh", ROUTE), Question("meh", TRIAL)])
    again = await judge.ask([Question("meh", ROUTE), Question("meh", TRIAL)])
    assert [verdict.label for verdict in verdicts] == ["neutral", "neutral", "negative"]
    assert [verdict.label for verdict in again] == ["neutral", "negative"]
    assert parts.classified == [["meh"], ["meh"]]


async def test_answers_that_cost_no_call_are_counted_by_version(judge):
    await judge.ask([Question("meh", ROUTE), Question("meh", ROUTE), Question("meh", TRIAL)])
    await judge.ask([Question("meh", ROUTE), Question("meh", TRIAL), Question("meh", TRIAL)])
    assert judge.events == {
        ("coalesced", "sentiment", "3"): 1,
        ("cache_hits", "sentiment", "3"): 1,
        ("cache_hits", "sentiment", "4"): 2,
    }


async def test_only_a_text_that_was_worked_out_has_a_call_time(judge):
    [first, twin] = await judge.ask([Question("love", ROUTE), Question("love", ROUTE)])
    [known] = await judge.ask([Question("love", ROUTE)])
    assert first.call_ms > 0
    assert twin.call_ms is None
    assert known.call_ms is None


async def test_what_a_version_on_trial_fails_on_the_leading_one_answers(judge):
    said, told = await judge.judge([on_trial("love venom"), on_trial("meh")])
    assert isinstance(said[0], InvalidInput)
    assert (told[0].route, told[0].label) == (ROUTE, "positive")
    assert told[1].route == TRIAL
    assert judge.events == {("failovers", "sentiment", "4"): 1}


async def test_a_version_on_trial_that_is_gone_costs_nobody_the_answer(judge, parts):
    parts.trial_gone = True
    said, told = await judge.judge([on_trial("love"), on_trial("hate")])
    assert all(isinstance(verdict, Unavailable) for verdict in said)
    assert [verdict.label for verdict in told] == ["positive", "negative"]


async def test_a_version_on_trial_that_is_late_is_not_waited_for(judge, parts):
    parts.trial_delay_s = 5.0
    started = time.monotonic()
    said, told = await judge.judge([on_trial("love")])
    assert time.monotonic() - started < 2.0
    assert isinstance(said[0], DeadlineExceeded)
    assert told[0].route == ROUTE


async def test_long_texts_give_a_version_on_trial_more_time(judge, parts):
    parts.trial_delay_s = 0.3
    _, told = await judge.judge([on_trial("love " * 200)])
    assert told[0].route == TRIAL


async def test_a_version_that_is_as_slow_as_the_leading_one_is_not_late(judge, parts):
    parts.delay_s = parts.trial_delay_s = 0.2
    await judge.ask([Question("hate", ROUTE)])
    _, told = await judge.judge([on_trial("love")])
    assert told[0].route == TRIAL


async def test_a_late_version_is_not_waited_for_by_way_of_another_call_either(judge, parts):
    parts.trial_delay_s = 1.0
    patient = asyncio.create_task(judge.ask([Question("love", TRIAL)]))
    await asyncio.sleep(0)
    _, told = await judge.judge([on_trial("love")])
    assert told[0].route == ROUTE
    [verdict] = await patient
    assert verdict.route == TRIAL


async def test_without_a_fallback_the_failure_is_told(judge):
    said, told = await judge.judge([Question("venom", TRIAL), Question("poison", ROUTE)])
    assert told == said
    assert all(isinstance(verdict, InvalidInput) for verdict in told)


async def test_a_text_without_words_asks_no_version(judge, parts):
    said, told = await judge.judge([on_trial("")])
    assert isinstance(told[0], InvalidInput)
    assert told == said
    assert parts.asked == []


async def test_a_text_that_both_fail_on_gets_the_leading_versions_error(judge):
    _, [told] = await judge.judge([on_trial("poison")])
    assert "cannot read this text" in str(told)


async def test_a_cancelled_call_leaves_nothing_in_flight(judge, parts):
    parts.delay_s = 0.2
    task = asyncio.create_task(judge.ask([Question("love", ROUTE)]))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    parts.delay_s = 0.0
    [verdict] = await judge.ask([Question("love", ROUTE)])
    assert isinstance(verdict, Judged)
