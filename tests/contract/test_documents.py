from __future__ import annotations

import pytest

from sentiment.errors import Conflict
from sentiment.records import Document
from sentiment.store.base import TextStore

BODY = {"routes": [{"weight": 0.1, "a.b": None, "$set": True}], "name": "é😀", "big": 2**53 + 1, "": {}}


def test_a_document_comes_back_with_its_generation(store: TextStore) -> None:
    assert store.get_document("traffic", "sentiment") is None
    assert store.put_document("traffic", "sentiment", BODY) == Document("traffic", "sentiment", 1, BODY)
    assert store.put_document("traffic", "sentiment", {}) == Document("traffic", "sentiment", 2, {})
    assert store.get_document("traffic", "sentiment") == Document("traffic", "sentiment", 2, {})


def test_a_write_over_another_generation_is_a_conflict(store: TextStore) -> None:
    store.put_document("lease", "retrain", {"by": "one"}, expected_generation=0)
    for stale in (0, 2, -1):
        with pytest.raises(Conflict, match="generation 1"):
            store.put_document("lease", "retrain", {"by": "two"}, expected_generation=stale)
    store.put_document("lease", "retrain", {"by": "two"}, expected_generation=1)
    assert store.get_document("lease", "retrain") == Document("lease", "retrain", 2, {"by": "two"})
    with pytest.raises(Conflict, match="generation 0"):
        store.put_document("lease", "new", {}, expected_generation=1)


def test_kinds_are_apart_and_names_in_order(store: TextStore) -> None:
    for kind, name in (("key", "b"), ("key", "a"), ("traffic", "a"), ("key", "ü")):
        store.put_document(kind, name, {"of": kind + name})
    assert store.list_documents("key") == [Document("key", name, 1, {"of": "key" + name}) for name in ("a", "b", "ü")]
    assert store.list_documents("none") == []


def test_the_last_documents_of_a_kind_come_page_by_page_the_last_one_first(store: TextStore) -> None:
    for kind, name in (("key", "b"), ("key", "a"), ("key:z", "c"), ("keys", "z"), ("traffic", "a"), ("key", "ü")):
        store.put_document(kind, name, {"of": kind + name})
    store.put_document("key", "b", {"of": "keyb"})
    last = [Document("key", "ü", 1, {"of": "keyü"}), Document("key", "b", 2, {"of": "keyb"})]
    assert store.last_documents("key", 2) == last
    assert store.last_documents("key", 2, "b") == [Document("key", "a", 1, {"of": "keya"})]
    assert [document.name for document in store.last_documents("key", 9, "c")] == ["b", "a"]
    assert store.last_documents("key", 2, "a") == store.last_documents("none", 2) == []


def test_a_deleted_document_is_gone(store: TextStore) -> None:
    store.put_document("key", "a", {})
    assert store.delete_document("key", "a") is True
    assert store.delete_document("key", "a") is False
    assert store.get_document("key", "a") is None
    assert store.put_document("key", "a", {}, expected_generation=0).generation == 1


def test_what_a_caller_does_to_a_body_later_is_not_stored(store: TextStore) -> None:
    body = {"list": [1]}
    returned = store.put_document("key", "a", body)
    body["list"].append(2)
    returned.body["list"].append(3)
    assert store.get_document("key", "a").body == {"list": [1]}
