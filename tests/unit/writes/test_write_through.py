from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from sentiment.errors import InvalidInput
from sentiment.journal import JournalOptions, open_free
from sentiment.records import DeleteText, Outcome, SetLabel
from sentiment.settings import load_settings
from sentiment.store.memory import MemoryStore
from sentiment.writes import WriteBehind, WriteThrough, open_writes
from tests.sample_operations import NOW_MS, PickyStore, put

DONE, CONFLICT, NOT_FOUND, UNAVAILABLE = Outcome.DONE, Outcome.CONFLICT, Outcome.NOT_FOUND, Outcome.UNAVAILABLE
LATER_MS = NOW_MS + 1000


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_write_through_answers_what_the_store_answers(store: MemoryStore):
    with closing(WriteThrough(store)) as sink:
        assert sink.write([put("x", "tea", claimed=True), put("x", "milk", claimed=True)]) == [DONE, CONFLICT]
        assert store.get_many(["x"])["x"].text == "tea"
        store.available = False
        assert sink.write([put("y"), SetLabel("x", "neutral", LATER_MS)]) == [UNAVAILABLE, UNAVAILABLE]
        assert not sink.state()["store_reachable"]
        store.available = True
        assert sink.write([DeleteText("nobody", LATER_MS)]) == [NOT_FOUND]
        assert (sink.state()["stored"], sink.state()["conflicts"]) == (1, 1)


def test_write_through_fails_only_the_caller_whose_value_is_wrong(store: MemoryStore):
    with closing(WriteThrough(PickyStore())) as sink:
        futures = [sink.submit([put(id_)]) for id_ in ("1", "bad", "2")]
        assert isinstance(futures[1].exception(), InvalidInput)
        assert [futures[0].result(), futures[2].result()] == [[DONE], [DONE]]


def test_both_ways_report_their_state_alike(tmp_path: Path, store: MemoryStore):
    with closing(WriteThrough(store)) as through, closing(WriteBehind(open_free(tmp_path), store)) as behind:
        assert behind.state().keys() == through.state().keys()


def test_write_through_deletes_what_is_expired(store: MemoryStore):
    with closing(WriteThrough(store)) as sink:
        sink.write([put("x", expires_at_ms=LATER_MS)])
        assert [sink.expire(LATER_MS - 1), sink.expire(LATER_MS)] == [0, 1]


def test_the_setting_durability_chooses_what_a_promise_waits_for(tmp_path: Path, store: MemoryStore):
    settings = load_settings(home=tmp_path)
    with closing(open_writes(settings, store, JournalOptions())) as behind:
        assert behind.state()["durability"] == "journal"
        assert settings.journal_path.exists()
    with closing(open_writes(load_settings(home=tmp_path, durability="store"), store, JournalOptions())) as through:
        assert through.state()["durability"] == "store"
