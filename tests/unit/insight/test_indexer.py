"""The indexer: opens, makes, follows, renews, and says how it is."""

from __future__ import annotations

import pytest

from sentiment.errors import StoreUnavailable, Unavailable
from sentiment.insight.feed import Place
from sentiment.insight.indexer import DAY_MS, Indexer, IndexState
from sentiment.insight.memory import MemoryIndex
from sentiment.insight.values import Query
from sentiment.records import DeleteText
from sentiment.store.memory import MemoryStore
from tests.sample_operations import NOW_MS, labelled


class Clock:
    """A clock that a test moves."""

    now_ms = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


class Folder:
    """Opens the same index again and again, as from a folder, unless it cannot be opened or written."""

    def __init__(self) -> None:
        self.index = MemoryIndex()
        self.opened = 0
        self.is_locked = False

    def open(self) -> MemoryIndex:
        if self.is_locked:
            raise Unavailable("another process has it")
        self.opened += 1
        self.index._is_open = True
        return self.index


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.apply([labelled("a"), labelled("b")])
    return store


def test_before_it_is_open_it_says_so(store):
    folder = Folder()
    folder.is_locked = True
    indexer = Indexer(store, folder.open, Clock())
    with pytest.raises(Unavailable, match="is not open"):
        indexer.index()
    with pytest.raises(Unavailable):
        indexer.tick()
    with pytest.raises(Unavailable, match="another process has it"):
        indexer.index()
    folder.is_locked = False
    indexer.tick()
    assert indexer.index().count(Query()) == 2


def test_while_it_is_made_it_says_how_far(store, monkeypatch):
    folder = Folder()
    indexer = Indexer(store, folder.open, Clock())
    said: list[str] = []

    def rebuild(texts: object, position: str) -> None:
        with pytest.raises(Unavailable) as caught:
            indexer.index()
        said.append(str(caught.value))

    monkeypatch.setattr(folder.index, "rebuild", rebuild)
    indexer.tick()
    assert "0 of 2" in said[0]


def test_a_store_that_is_away_at_the_start_leaves_no_lock_behind(store):
    folder = Folder()
    store.available = False
    indexer = Indexer(store, folder.open, Clock())
    with pytest.raises(StoreUnavailable):
        indexer.tick()
    assert folder.index._is_open is False
    store.available = True
    indexer.tick()
    assert indexer.state().texts == 2


def test_its_state_says_how_far_behind_it_is(store):
    clock = Clock()
    indexer = Indexer(store, Folder().open, clock)
    indexer.tick()
    assert indexer.state() == IndexState(ready=True, texts=2, pending=0, behind_s=0.0, commits=1)
    store.apply([labelled("c")])
    clock.now_ms += 3000
    assert indexer.state() == IndexState(ready=True, texts=2, pending=1, behind_s=3.0, commits=1)
    indexer.tick()
    indexer.tick()
    assert indexer.state() == IndexState(ready=True, texts=3, pending=0, behind_s=0.0, commits=2)


def test_an_index_that_fails_again_and_again_is_opened_anew(store, monkeypatch):
    folder = Folder()
    indexer = Indexer(store, folder.open, Clock())
    indexer.tick()
    store.apply([labelled("c")])

    def broken(*_: object) -> None:
        raise OSError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(folder.index, "apply", broken)
        for _ in range(3):
            with pytest.raises(OSError, match="gone"):
                indexer.tick()
    assert folder.opened == 1
    indexer.tick()
    assert folder.opened == 2
    assert indexer.state().texts == 3


def test_a_day_after_a_deletion_the_index_is_made_anew_once(store):
    clock, folder = Clock(), Folder()
    indexer = Indexer(store, folder.open, clock)
    indexer.renew_if_due()
    indexer.tick()
    store.apply([DeleteText("a", NOW_MS)])
    indexer.tick()
    made = Place.read(folder.index.position).made_at_ms
    clock.now_ms += DAY_MS - 1
    indexer.renew_if_due()
    assert Place.read(folder.index.position).made_at_ms == made
    clock.now_ms += 1
    indexer.renew_if_due()
    assert Place.read(folder.index.position).made_at_ms == made + DAY_MS
    before = folder.index.commit
    clock.now_ms += DAY_MS
    indexer.renew_if_due()
    assert folder.index.commit == before, "nothing was deleted since"


def test_where_texts_go_without_a_word_the_index_is_made_anew_each_day(store):
    clock, folder = Clock(), Folder()
    indexer = Indexer(store, folder.open, clock, always_renews=True)
    indexer.tick()
    store._states.pop("a")  # as MongoDB's own expiry does
    clock.now_ms += DAY_MS
    indexer.renew_if_due()
    assert indexer.state().texts == 1


def test_it_lets_the_store_forget_what_it_has(store):
    indexer = Indexer(store, Folder().open, Clock())
    store.apply([labelled(f"t{n}") for n in range(10_500)])
    for _ in range(60):
        indexer.tick()
    assert not store.changes(0, 1).is_whole
