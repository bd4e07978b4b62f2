"""Which texts changed, as who keeps an index of them asks the store."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext

from sentiment.records import AddFeedback, Changes, DeleteText, PutText, SetLabel
from sentiment.store.base import TextStore
from tests.contract.stores import NOW_MS, labelled, open_at, text


def follow(store: TextStore, after: int, limit: int = 7) -> Changes:
    """Read changes in small steps to their end."""
    ids: list[str] = []
    while True:
        found = store.changes(after, limit)
        assert found.is_whole
        if found.revision == after:
            return Changes(ids, after)
        ids, after = ids + found.ids, found.revision


def test_a_store_without_texts_has_no_changes(store: TextStore) -> None:
    assert store.revision() == 0
    assert store.changes(0, 10) == Changes([], 0)


def test_every_kind_of_change_is_told_once_it_is_done(store: TextStore) -> None:
    store.apply([PutText(labelled(id_)) for id_ in ("a", "b", "c", "d")])
    seen = follow(store, 0)
    assert sorted(seen.ids) == ["a", "b", "c", "d"]
    operations = [
        SetLabel("a", "negative", NOW_MS + 1),
        AddFeedback("b", "neutral", "shop", NOW_MS + 1),
        DeleteText("c", NOW_MS + 1),
    ]
    for operation in operations:
        store.apply([operation])
    assert follow(store, seen.revision).ids == ["a", "b", "c"]
    assert store.revision() == follow(store, 0).revision


def test_an_expired_text_is_a_change(store: TextStore) -> None:
    store.apply([PutText(text("kept")), PutText(text("gone", expires_at_ms=NOW_MS + 5))])
    before = store.revision()
    store.delete_expired(NOW_MS + 5)
    assert store.changes(before, 10).ids == ["gone"]


def test_a_text_that_changed_often_is_told_once_a_step(store: TextStore) -> None:
    store.apply([PutText(text("a"))])
    for n in range(5):
        store.apply([SetLabel("a", "neutral", NOW_MS + n)])
    found = store.changes(0, 100)
    assert (found.ids, found.revision) == (["a"], store.revision())


def test_changes_that_were_forgotten_are_missed_by_who_comes_late(store: TextStore) -> None:
    for n in range(6):
        store.apply([PutText(text(f"t{n}"))])
    middle = store.changes(0, 3).revision
    store.forget_changes(middle)
    assert store.changes(middle, 10).ids == ["t3", "t4", "t5"]
    assert store.changes(middle - 1, 10).is_whole is False
    store.forget_changes(store.revision())
    assert store.changes(0, 10).is_whole is False
    assert store.changes(store.revision(), 10) == Changes([], store.revision())


def test_revisions_go_on_after_all_changes_were_forgotten(store: TextStore, address: str, kind: str) -> None:
    store.apply([PutText(text("a"))])
    last = store.revision()
    store.forget_changes(last)
    with nullcontext(store) if kind == "memory" else closing(open_at(address)) as again:
        again.apply([PutText(text("b"))])
        assert again.revision() > last
        assert again.changes(last, 10).ids == ["b"]


def test_a_place_that_the_store_has_not_reached_is_no_place_of_its(store: TextStore) -> None:
    store.apply([PutText(text("a"))])
    assert store.changes(store.revision() + 1, 10).is_whole is False


def test_who_follows_while_others_write_misses_no_text(store: TextStore) -> None:
    def write(worker: int) -> None:
        for n in range(25):
            store.apply([PutText(text(f"{worker}-{n}-{m}")) for m in range(random.Random(n).randint(1, 4))])

    seen: set[str] = set()
    after = 0
    with ThreadPoolExecutor(3) as pool:
        writing = [pool.submit(write, worker) for worker in range(3)]
        while not all(future.done() for future in writing):
            found = store.changes(after, 5)
            assert found.is_whole
            seen, after = seen | set(found.ids), found.revision
        for future in writing:
            future.result()
    seen |= set(follow(store, after).ids)
    assert seen == {f"{w}-{n}-{m}" for w in range(3) for n in range(25) for m in range(random.Random(n).randint(1, 4))}
