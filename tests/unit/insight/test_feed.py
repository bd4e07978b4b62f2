"""The feed: from the store's changes to the index, through deaths at every moment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sentiment.errors import StoreUnavailable, Unavailable
from sentiment.insight.feed import Feed, Place
from sentiment.insight.memory import MemoryIndex
from sentiment.insight.values import Order, Query
from sentiment.records import DeleteText, PutText, SetLabel
from sentiment.store.memory import MemoryStore
from tests.sample_operations import NOW_MS, labelled, put

NEWEST: Order = "newest"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def index() -> MemoryIndex:
    return MemoryIndex()


def feed_of(store: MemoryStore, index: MemoryIndex) -> Feed:
    return Feed(store, index, lambda: NOW_MS)


def fed(store: MemoryStore, index: MemoryIndex) -> Feed:
    feed = feed_of(store, index)
    feed.rebuild()
    return feed


def ids_in(index: MemoryIndex) -> set[str]:
    return set(index.top(Query(), NEWEST, 10_000).ids)


def test_an_index_that_knows_nothing_is_made_from_the_stores_texts(store, index):
    store.apply([labelled(f"t{n}") for n in range(2500)])
    feed = feed_of(store, index)
    assert (feed.place, feed.follow()) == (None, None)
    feed.rebuild()
    assert index.count(Query()) == 2500
    assert (feed.progress.texts, feed.progress.of) == (2500, 2500)
    assert feed.follow() == 0


def test_a_store_that_cannot_count_its_texts_in_time_is_read_all_the_same(store, index, monkeypatch):
    store.apply([labelled("a")])

    def too_slow(*_: object) -> None:
        raise StoreUnavailable("took too long")

    monkeypatch.setattr(store, "count", too_slow)
    feed = fed(store, index)
    assert ids_in(index) == {"a"}
    assert str(feed.progress) == "1 so far"


def test_what_is_written_labelled_and_deleted_is_followed(store, index):
    feed = fed(store, index)
    store.apply([labelled("a"), labelled("b"), put("c")])
    assert feed.pending() == 3
    assert feed.follow() == 3
    assert feed.pending() == 0
    store.apply([DeleteText("a", NOW_MS), SetLabel("b", "negative", NOW_MS + 1)])
    assert feed.follow() == 2
    assert ids_in(index) == {"b", "c"}
    assert index.top(Query(), "negative", 1).ids == ("b",)


def test_an_expired_text_leaves_the_index(store, index):
    feed = fed(store, index)
    store.apply([put("kept"), put("gone", expires_at_ms=NOW_MS + 5)])
    feed.follow()
    store.delete_expired(NOW_MS + 5)
    feed.follow()
    assert ids_in(index) == {"kept"}


def test_nothing_new_makes_no_commit(store, index):
    feed = fed(store, index)
    before = index.commit
    assert feed.follow() == 0
    assert index.commit == before


def test_one_that_comes_after_goes_on_where_the_one_before_was_killed(store, index):
    fed(store, index)
    store.apply([labelled("a")])
    after = feed_of(store, index)
    assert after.follow() == 1
    assert ids_in(index) == {"a"}


def test_a_commit_that_failed_is_made_again(store, index, monkeypatch):
    feed = fed(store, index)
    store.apply([labelled("a"), labelled("b")])

    def full(*_: object) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(index, "apply", full)
        with pytest.raises(Unavailable):
            feed.follow()
    assert feed.pending() == 2
    assert feed.follow() == 2
    assert ids_in(index) == {"a", "b"}


def test_changes_that_come_again_change_nothing(store, index):
    feed = fed(store, index)
    store.apply([labelled("a"), labelled("b"), DeleteText("b", NOW_MS)])
    before = index.position
    feed.follow()
    index.apply([], [], before)  # as if the commit had been lost, but not its texts
    feed_of(store, index).follow()
    assert ids_in(index) == {"a"}


def test_an_index_of_another_store_is_made_anew(store, index):
    store.apply([labelled("a")])
    fed(store, index)
    other = MemoryStore()
    other.apply([labelled("b")])
    feed = feed_of(other, index)
    assert feed.place is None
    feed.rebuild()
    assert ids_in(index) == {"b"}


def test_an_index_that_comes_too_late_is_made_anew(store, index):
    feed = fed(store, index)
    store.apply([labelled("a")])
    store.forget_changes(store.revision())
    assert feed.follow() is None
    feed.rebuild()
    assert feed.follow() == 0
    assert ids_in(index) == {"a"}


def test_a_store_that_went_back_to_a_backup_is_noticed(store, index):
    identity = feed_of(store, index).place
    assert identity is None
    fed(store, index)
    place = Place.read(index.position)
    index.apply([], [], Place(place.store, place.revision + 100, place.made_at_ms).position)
    assert feed_of(store, index).follow() is None


def test_many_changes_are_a_few_commits(store, index):
    feed = fed(store, index)
    store.apply([labelled(f"t{n}") for n in range(21_500)])
    assert feed.follow() == 20_000
    assert feed.follow() == 1500
    assert index.count(Query()) == 21_500


def test_what_is_deleted_while_the_index_is_made_anew_does_not_come_back(store, index, monkeypatch):
    store.apply([labelled(f"t{n}") for n in range(1500)])
    feed = fed(store, index)
    read = store.page

    def page(*args: object) -> object:
        found = read(*args)
        store.apply([DeleteText("t999", NOW_MS), labelled("late")])
        return found

    monkeypatch.setattr(store, "page", page)
    feed.rebuild()
    assert "t999" in ids_in(index), "its page had been read"
    feed.follow()
    assert "t999" not in ids_in(index)
    assert "late" in ids_in(index)


def test_the_place_says_whether_erased_words_may_be_on_disk(store, index):
    feed = fed(store, index)
    store.apply([labelled("a")])
    feed.follow()
    assert not Place.read(index.position).has_erased
    store.apply([DeleteText("a", NOW_MS)])
    feed.follow()
    assert Place.read(index.position).has_erased
    assert feed_of(store, index).place.has_erased
    feed.rebuild()
    assert not feed.place.has_erased


@pytest.mark.parametrize("position", ["", "not json", "[1]", '{"store": "s"}', "7"])
def test_a_position_that_is_none_of_ours_is_no_place(position):
    assert Place.read(position) is None


def test_the_stores_name_is_given_once(store, index):
    first, second = fed(store, index), fed(store, MemoryIndex())
    assert first.place.store == second.place.store


def test_changes_are_forgotten_well_behind_the_index(store, index):
    feed = fed(store, index)
    operations: Iterator[PutText] = (put(f"t{n}") for n in range(12_000))
    store.apply(list(operations))
    feed.follow()
    feed.forget()
    assert store.changes(2000, 1).is_whole
    assert not store.changes(1999, 1).is_whole
