"""The history of rollouts: ended ones and the present one, page by page."""

from __future__ import annotations

import pytest

from sentiment.errors import InvalidInput
from sentiment.identifiers import new_id
from sentiment.settings import Settings
from sentiment.store.memory import MemoryStore
from serve_app.rollout import commands
from serve_app.rollout.policy.record import HISTORY_KIND, KIND, StartRequest, State
from tests.unit.rollout.rollouts import LABELS, list_models, rollout_of, serve_version

MODEL = "sentiment"
NOW = 5_000_000


@pytest.fixture
def store():
    store = MemoryStore()
    serve_version(store)
    list_models(store, {1: LABELS, 2: LABELS})
    return store


def end_rollout(store, number: int, model: str = MODEL) -> str:
    """Put a rollout that began and ended before NOW into the history."""
    id_ = new_id(NOW - 100 + number)
    store.put_document(HISTORY_KIND, id_, {"model": model, "id": id_, "started_ms": NOW - 100 + number})
    return id_


def test_the_history_has_ended_rollouts_and_the_present_one_the_newest_first(store):
    ended = [end_rollout(store, number) for number in range(3)]
    end_rollout(store, 9, "sentiment-reviews")
    present, _ = commands.start(store, Settings(), StartRequest(version=2), NOW)
    everything, following = commands.history(store, MODEL, NOW, 20)
    assert [told["id"] for told in everything] == [present["id"], *reversed(ended)]
    assert following is None
    first, following = commands.history(store, MODEL, NOW, 1)
    assert ([told["id"] for told in first], following) == ([present["id"]], present["id"])
    assert [told["id"] for told in commands.history(store, MODEL, NOW, 2, following)[0]] == [ended[2], ended[1]]


def test_a_rollout_that_has_just_ended_is_in_the_history_once(store):
    store.put_document(KIND, MODEL, rollout_of(State.ABORTED, 3).to_body())
    present = commands.status(store, MODEL, NOW)
    store.put_document(HISTORY_KIND, present["id"], present)
    end_rollout(store, 200 - NOW)
    first, following = commands.history(store, MODEL, NOW, 1)
    assert ([told["id"] for told in first], following) == ([present["id"]], present["id"])
    assert len(commands.history(store, MODEL, NOW, 20)[0]) == 2


def test_the_history_is_read_page_by_page_also_while_rollouts_are_added(store):
    def page(limit: int, after: str | None = None) -> tuple[list[str], str | None]:
        told, following = commands.history(store, MODEL, NOW, limit, after)
        return [record["id"] for record in told], following

    ids = [end_rollout(store, number) for number in range(5)]
    first, following = page(2)
    ids.append(end_rollout(store, 5))
    second, last = page(2, following)
    assert (first, second) == ([ids[4], ids[3]], [ids[2], ids[1]])
    assert page(2, last) == ([ids[0]], None)
    assert page(6) == (ids[::-1], None)
    with pytest.raises(InvalidInput, match="not from this list") as caught:
        page(2, new_id(NOW))
    assert caught.value.field == "after"
    with pytest.raises(InvalidInput, match="not from this list"):
        page(2, end_rollout(store, 6, "sentiment-reviews"))


class CountingStore(MemoryStore):
    """Counts the documents that it hands out."""

    read = 0

    def list_documents(self, kind):
        found = super().list_documents(kind)
        self.read += len(found)
        return found

    def last_documents(self, kind, limit, before=None):
        known = self.read
        found = super().last_documents(kind, limit, before)
        self.read = known + len(found)
        return found


def test_a_page_of_the_history_reads_no_more_than_it_shows(store):
    store = CountingStore()
    ids = [end_rollout(store, number) for number in range(50)]
    told, following = commands.history(store, MODEL, NOW, 3, ids[20])
    assert [record["id"] for record in told] == [ids[19], ids[18], ids[17]]
    assert (following, store.read) == (ids[17], 4)


def test_a_page_of_the_history_is_full_whatever_other_models_had(store):
    ours = [end_rollout(store, number, MODEL if number % 7 == 0 else "sentiment-reviews") for number in range(50)][::7]
    told, following = commands.history(store, MODEL, NOW, 5)
    assert [record["id"] for record in told] == ours[:2:-1]
    assert [record["id"] for record in commands.history(store, MODEL, NOW, 5, following)[0]] == ours[2::-1]
