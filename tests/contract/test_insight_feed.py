"""An index that follows a store has what the store has, whichever store it is."""

from __future__ import annotations

import threading

from sentiment.insight.feed import Feed
from sentiment.insight.memory import MemoryIndex
from sentiment.insight.values import Query
from sentiment.records import DeleteText, PutText, SetLabel, TextQuery
from sentiment.store.base import TextStore
from tests.contract.stores import NOW_MS, labelled, text


def in_both(store: TextStore, index: MemoryIndex) -> tuple[set[str], set[str]]:
    held = {record.id for record in store.page(TextQuery(), 10_000).records}
    return held, set(index.top(Query(), "newest", 10_000).ids)


def test_every_kind_of_change_reaches_the_index(store: TextStore) -> None:
    store.apply([PutText(labelled(f"before{n}")) for n in range(3)])
    index = MemoryIndex()
    feed = Feed(store, index, lambda: NOW_MS)
    feed.rebuild()
    store.apply([PutText(labelled("a")), PutText(text("b")), PutText(text("c", expires_at_ms=NOW_MS + 10**10))])
    store.apply([DeleteText("before0", NOW_MS + 1), SetLabel("a", "negative", NOW_MS + 1)])
    store.delete_expired(NOW_MS + 10**10)
    assert feed.follow()
    held, indexed = in_both(store, index)
    assert held == indexed == {"before1", "before2", "a", "b"}
    assert index.top(Query(), "negative", 1).ids == ("a",)
    assert feed.pending() == 0


def test_a_feed_that_runs_beside_writers_ends_with_what_they_wrote(store: TextStore) -> None:
    index = MemoryIndex()
    feed = Feed(store, index, lambda: NOW_MS)
    feed.rebuild()

    def write(worker: int) -> None:
        for n in range(12):
            ids = [f"{worker}-{n}-{m}" for m in range(5)]
            store.apply([PutText(labelled(id_)) for id_ in ids])
            store.apply([DeleteText(ids[n % 5], NOW_MS + 1)])

    writers = [threading.Thread(target=write, args=(worker,)) for worker in range(2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert feed.follow() is not None
    feed.follow()
    held, indexed = in_both(store, index)
    assert held == indexed
    assert len(held) == 2 * 12 * 4
