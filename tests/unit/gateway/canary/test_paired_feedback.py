"""Feedback while a rollout runs: which of the two versions is right about texts whose label is known."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sentiment.errors import NotFound, StoreUnavailable
from sentiment.records import RawText
from serve_app.gateway.backend import Backend
from serve_app.gateway.canary import paired_feedback as feedback
from serve_app.routing.observations import Observations
from tests.unit.gateway.fake_parts import FakeParts, backend_of, canary_of

TEXTS = {"l-1": "love", "m-1": "meh", "m-2": "meh again", "v-1": "love venom"}


@pytest.fixture
def parts() -> FakeParts:
    return FakeParts()


@pytest.fixture
async def backend(parts: FakeParts) -> Backend:
    backend = backend_of(parts, table=canary_of(0.0))
    await backend.service.predict([RawText(text, id=id_) for id_, text in TEXTS.items()])
    return backend


async def seen_by(backend: Backend, labelled: int) -> Observations:
    """Return the counts once so many labelled texts are among them."""
    for _ in range(500):
        seen = Observations.from_json(backend.fake.metrics.report()["counts"])
        if seen.labelled >= labelled:
            break
        await asyncio.sleep(0.01)
    return seen


async def test_feedback_is_kept_and_tells_which_version_is_right(backend, parts):
    await backend.add_feedback("l-1", "positive", "team")
    await backend.add_feedback("m-1", "negative", "team")
    await backend.add_feedback("m-2", "neutral", "team")
    seen = await seen_by(backend, 3)
    assert (seen.labelled, seen.only_champion_right, seen.only_challenger_right) == (3, 1, 1)
    assert [word.label for word in parts.store.get("m-1").feedback] == ["negative"]
    assert parts.store.get("m-1").label == "neutral"


async def test_a_text_counts_once_whoever_speaks_about_it(backend):
    await backend.add_feedback("m-1", "negative", "team")
    await backend.add_feedback("m-1", "negative", "team")
    await backend.add_feedback("m-1", "neutral", "another team")
    await backend.add_feedback("m-2", "negative", "team")
    assert (await seen_by(backend, 2)).labelled == 2


async def test_a_text_counts_once_through_however_many_gateways_at_the_same_moment(parts):
    first, second = backend_of(parts, table=canary_of(0.0)), backend_of(parts, table=canary_of(0.0))
    await first.service.predict([RawText("meh", id=f"t-{n}") for n in range(40)])
    said = [backend.add_feedback(f"t-{n}", "negative", "team") for n in range(40) for backend in (first, second)]
    await asyncio.gather(*said)
    await asyncio.gather(first.pairs._task, second.pairs._task)  # both end once nothing waits
    counted = [(await seen_by(backend, 0)).labelled for backend in (first, second)]
    assert sum(counted) == 40


async def test_a_text_is_counted_once_the_store_that_tells_whether_it_was_answers_again(backend):
    take, tries = backend.pairs.take, []

    async def away_at_first(rollout, ids):
        tries.append(ids)
        if len(tries) < 3:
            raise StoreUnavailable("the store is away")
        return await take(rollout, ids)

    backend.pairs.take = away_at_first
    await backend.add_feedback("m-1", "negative", "team")
    assert (await seen_by(backend, 1)).labelled == 1
    assert tries == [["m-1"]] * 3


def take_up(backend: Backend, rollout: str | None, stage: int = 1) -> None:
    """Put another rollout of the same two versions into force, or none."""
    table = replace(canary_of(0.0), rollout=rollout, stage=stage)
    backend.fake.table = lambda: table


@pytest.mark.parametrize("before", [None, "r-1"])
async def test_a_text_that_had_feedback_before_the_rollout_counts_in_it(backend, before):
    take_up(backend, before)
    await backend.add_feedback("m-1", "negative", "team")
    assert (await seen_by(backend, 1 if before else 0)).labelled == (1 if before else 0)
    take_up(backend, "r-2")
    await backend.add_feedback("m-1", "negative", "another team")
    await backend.add_feedback("m-2", "negative", "team")
    assert (await seen_by(backend, 2)).labelled == 2


async def test_labels_wait_for_a_version_that_hangs(backend, parts):
    backend.pairs.patience_s, parts.trial_delay_s = 0.05, 30.0
    await backend.add_feedback("m-1", "negative", "team")
    await asyncio.sleep(0.5)
    assert (await seen_by(backend, 0)).labelled == 0
    parts.trial_delay_s = 0.0
    assert (await seen_by(backend, 1)).labelled == 1


async def test_a_label_counts_in_the_stage_that_is_under_way_once_both_versions_have_answered(backend, parts):
    parts.trial_delay_s = 0.5
    await backend.add_feedback("m-1", "negative", "team")
    for _ in range(500):
        if 4 in parts.asked:
            break
        await asyncio.sleep(0.01)
    take_up(backend, "r-1", stage=2)
    assert (await seen_by(backend, 1)).labelled == 1


async def test_labels_wait_for_a_version_that_is_away(backend, parts):
    parts.trial_gone = True
    await backend.add_feedback("m-1", "negative", "team")
    await asyncio.sleep(0.5)
    parts.trial_gone = False
    assert (await seen_by(backend, 1)).only_challenger_right == 1


async def test_labels_that_waited_in_vain_count_when_they_are_sent_again(backend, parts, monkeypatch):
    monkeypatch.setattr(feedback, "_RETRY_S", 0.001)
    parts.trial_gone = True
    await backend.add_feedback("m-1", "negative", "team")
    await backend.pairs._task
    parts.trial_gone = False
    await backend.add_feedback("m-1", "negative", "team")
    assert (await seen_by(backend, 1)).labelled == 1


async def test_without_a_rollout_feedback_asks_no_version(parts):
    backend = backend_of(parts)
    await backend.service.predict([RawText("meh", id="m-1")])
    await backend.add_feedback("m-1", "negative", "team")
    await asyncio.sleep(0.05)
    assert parts.asked == [3]


async def test_a_text_that_a_version_fails_on_makes_no_pair(backend):
    await backend.add_feedback("v-1", "positive", "team")
    await backend.add_feedback("m-1", "negative", "team")
    assert (await seen_by(backend, 1)).labelled == 1


async def test_a_text_that_is_on_its_way_to_the_store_is_waited_for(backend, parts):
    looks = []

    async def read(ids):
        looks.append(ids)
        return {} if len(looks) < 3 else parts.store.get_many(ids)

    backend.pairs.read = read
    await backend.add_feedback("m-1", "negative", "team")
    assert (await seen_by(backend, 1)).only_challenger_right == 1
    assert len(looks) == 3


async def test_feedback_is_published_by_version(backend):
    await backend.add_feedback("m-1", "negative", "team")
    await seen_by(backend, 1)
    events = backend.fake.classifier.events
    assert events["labelled", "sentiment", "3", "no"] == 1
    assert events["labelled", "sentiment", "4", "yes"] == 1


async def test_feedback_on_a_text_that_is_not_there_is_refused(backend):
    with pytest.raises(NotFound, match="there is no text with the id 'nowhere'"):
        await backend.add_feedback("nowhere", "negative", "team")
