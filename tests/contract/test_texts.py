from __future__ import annotations

from dataclasses import replace

import pymongo
import pytest

from sentiment.errors import InvalidInput, StoreUnavailable
from sentiment.records import DeleteText, Outcome, PutText, SetLabel, TextQuery
from sentiment.store.base import TextStore
from tests.contract.stores import NOW_MS, labelled, text

DONE, CONFLICT, NOT_FOUND = Outcome.DONE, Outcome.CONFLICT, Outcome.NOT_FOUND
ODD_TEXTS = [
    "Grüße aus Łódź: schön! 👍🏽👨‍👩‍👧",
    "हिन्दी में लिखा",
    "我说中文，很好",
    "مرحبا بالعالم",
    '{"$ne": null}',
    "'; DROP TABLE texts; --",
    'a "quoted" OR NEAR(b) * ^c -d',
    "$where: 1 %s {} \\ \\0 \t\n",
    "a" * 50_000,
]


def test_an_answering_store_can_be_pinged(store: TextStore) -> None:
    assert store.ping() is None


def test_nothing_to_do_is_fine(store: TextStore) -> None:
    assert store.apply([]) == []
    assert store.get_many([]) == {}


def test_every_field_of_a_text_comes_back(store: TextStore) -> None:
    record = labelled("a", source="rss", author_key="au", topics=("tea", "café"), expires_at_ms=NOW_MS + 10**12)
    assert store.apply([PutText(record)]) == [DONE]
    assert store.get("a") == record


def test_a_text_without_label_comes_back(store: TextStore) -> None:
    store.apply([PutText(text("a"))])
    assert store.get("a") == text("a")
    assert store.get("b") is None


@pytest.mark.parametrize("words", ODD_TEXTS)
def test_odd_texts_come_back_as_they_were(store: TextStore, words: str) -> None:
    record = text("odd", words, source=words[:100], topics=(words[:100],))
    store.apply([PutText(record)])
    assert store.get("odd") == record
    for query in (TextQuery(source=words[:100]), TextQuery(topic=words[:100]), TextQuery(search=words)):
        assert store.page(query, 10).records == [record]


@pytest.mark.parametrize("name", ['{"$ne": null}', "$gt", "a.b", "' OR 1=1", "ü", "%", "a" * 128])
def test_an_id_is_only_ever_a_name(store: TextStore, name: str) -> None:
    store.apply([PutText(text("other"))])
    assert store.get(name) is None
    assert store.apply([DeleteText(name, NOW_MS)]) == [NOT_FOUND]
    store.apply([PutText(text(name, received_at_ms=NOW_MS + 1))])
    assert store.get_many([name, "other", "none"]).keys() == {name, "other"}


def test_a_put_again_changes_nothing(store: TextStore) -> None:
    puts = [PutText(labelled(f"t{n}", f"text {n}")) for n in range(20)]
    assert store.apply(puts) == store.apply(puts) == [DONE] * 20
    assert store.count(TextQuery()) == {"positive": 20}


def test_another_text_under_a_known_id_is_a_conflict(store: TextStore) -> None:
    store.apply([PutText(text("a", "first"))])
    other = labelled("a", "second", labelled_at_ms=NOW_MS + 5, received_at_ms=NOW_MS + 5)
    assert store.apply([PutText(other), PutText(text("b"))]) == [CONFLICT, DONE]
    assert store.get("a") == text("a", "first")


def test_two_texts_of_one_id_in_a_batch_do_not_both_win(store: TextStore) -> None:
    assert store.apply([PutText(text("a", "first")), PutText(text("a", "second"))]) == [DONE, CONFLICT]
    assert store.get("a").text == "first"


def test_the_later_label_wins_in_any_order(store: TextStore) -> None:
    early, late = labelled("a"), labelled("a", label="negative", labelled_at_ms=NOW_MS + 1, model_version=8)
    for order in ([early, late], [late, early]):
        store.apply([DeleteText("a", order[0].received_at_ms - 1)])
        store.apply([PutText(record) for record in order])
        assert store.get("a") == late


@pytest.mark.parametrize("kind", ["mongo"])
def test_a_document_of_before_languages_were_told_is_read_as_supported(store: TextStore, address: str) -> None:
    store.apply([PutText(labelled("a"))])
    database, uri = address.removeprefix("mongo:").split("@", 1)
    with pymongo.MongoClient(uri) as client:
        client[database]["texts"].update_one({"id": "a"}, {"$unset": {"language": "", "supported": "", "feedback": ""}})
    assert store.get("a") == labelled("a", language=None, supported=True)


def test_a_put_without_label_erases_none(store: TextStore) -> None:
    store.apply([PutText(labelled("a"))])
    assert store.apply([PutText(text("a"))]) == [DONE]
    assert store.get("a") == labelled("a")


def test_a_later_answer_tells_the_language_anew(store: TextStore) -> None:
    store.apply([PutText(labelled("a"))])
    assert (store.get("a").language, store.get("a").supported) == ("de", False)
    store.apply([PutText(labelled("a", language="nl", supported=True, labelled_at_ms=NOW_MS + 1))])
    assert (store.get("a").language, store.get("a").supported) == ("nl", True)


def test_a_label_may_come_after_the_text(store: TextStore) -> None:
    store.apply([PutText(text("a"))])
    store.apply([PutText(labelled("a"))])
    assert store.get("a") == labelled("a")


def test_a_client_labels_a_text(store: TextStore) -> None:
    store.apply([PutText(labelled("a"))])
    assert store.apply([SetLabel("a", "negative", NOW_MS + 1), SetLabel("nobody", "negative", NOW_MS)]) == [
        DONE,
        NOT_FOUND,
    ]
    found = store.get("a")
    assert (found.label, found.sentiment, found.labelled_by, found.labelled_at_ms) == (
        "negative",
        -1.0,
        "client",
        NOW_MS + 1,
    )
    assert (found.score, found.probabilities, found.model, found.model_version) == (None, None, None, None)
    assert (found.language, found.supported) == ("de", True), "a person has read it, in whatever language it is"
    assert store.count(TextQuery()) == {"negative": 1}


def test_a_client_has_the_last_word_within_a_millisecond_only(store: TextStore) -> None:
    store.apply([PutText(labelled("a")), SetLabel("a", "neutral", NOW_MS), PutText(labelled("a"))])
    assert store.get("a").label == "neutral"
    store.apply([SetLabel("a", "negative", NOW_MS - 1)])
    assert store.get("a").label == "neutral"


def test_an_unknown_label_is_refused_and_nothing_is_done(store: TextStore) -> None:
    with pytest.raises(InvalidInput) as caught:
        store.apply([PutText(text("a")), SetLabel("a", "sad", NOW_MS)])
    assert caught.value.field == "label"
    assert store.get("a") is None


def test_a_deleted_text_does_not_come_back_by_a_replay(store: TextStore) -> None:
    put, delete = PutText(labelled("a", "secret words", topics=("tea",))), DeleteText("a", NOW_MS + 10)
    assert store.apply([put, delete]) == [DONE, DONE]
    assert store.apply([put, delete]) == [DONE, DONE]
    assert store.get("a") is None
    assert store.page(TextQuery(search="secret"), 10).records == []
    assert store.page(TextQuery(topic="tea"), 10).records == []
    assert store.count(TextQuery()) == {}


def test_a_text_received_after_the_deletion_is_kept(store: TextStore) -> None:
    old, delete = PutText(text("a", "old")), DeleteText("a", NOW_MS + 10)
    new = text("a", "new", received_at_ms=NOW_MS + 11)
    assert store.apply([old, delete, PutText(new)]) == [DONE] * 3
    assert store.apply([old, delete, PutText(new)]) == [DONE] * 3
    assert store.get("a") == new
    assert store.page(TextQuery(search="new"), 10).records == [new]
    assert store.page(TextQuery(search="old"), 10).records == []


def test_a_text_has_none_of_the_topics_of_one_that_was_deleted(store: TextStore) -> None:
    store.apply([PutText(text("old", topics=("tea", "milk"))), DeleteText("old", NOW_MS + 10)])
    store.apply([PutText(text("gone", topics=("tea", "milk")))])
    store.apply([DeleteText("gone", NOW_MS + 10)])
    new = text("new", topics=("milk",))
    assert store.apply([PutText(new)]) == [DONE]
    assert store.page(TextQuery(topic="tea"), 10).records == []
    assert store.page(TextQuery(topic="milk"), 10).records == [new]


def test_a_deletion_that_comes_before_its_put_holds(store: TextStore) -> None:
    assert store.apply([DeleteText("a", NOW_MS)]) == [NOT_FOUND]
    assert store.apply([PutText(text("a")), DeleteText("a", NOW_MS + 5), DeleteText("b", NOW_MS)]) == [
        DONE,
        NOT_FOUND,
        NOT_FOUND,
    ]
    assert store.get("a") is None


def test_a_deletion_spares_a_later_text(store: TextStore) -> None:
    later = text("a", received_at_ms=NOW_MS + 1)
    assert store.apply([PutText(later), DeleteText("a", NOW_MS)]) == [DONE, CONFLICT]
    assert store.get("a") == later


def test_expired_texts_are_deleted_and_others_stay(store: TextStore) -> None:
    later_ms = NOW_MS + 10**9
    records = [text(f"t{n}", expires_at_ms=later_ms + n) for n in range(1200)]
    for first in range(0, 1200, 300):
        store.apply([PutText(record) for record in records[first : first + 300]])
    store.apply([PutText(text("kept"))])
    assert store.delete_expired(later_ms - 1) == 0
    assert store.delete_expired(later_ms + 1198) == 1199
    assert {record.id for record in store.page(TextQuery(), 10).records} == {"t1199", "kept"}
    assert store.page(TextQuery(search="good"), 10).records == store.page(TextQuery(), 10).records


def test_a_thousand_puts_are_one_call(store: TextStore) -> None:
    records = {f"t{n}": labelled(f"t{n}", f"text {n}", created_at_ms=NOW_MS + n) for n in range(1000)}
    assert store.apply([PutText(record) for record in records.values()]) == [DONE] * 1000
    assert store.get_many(list(records)) == records


@pytest.mark.parametrize("broken", [replace(text("a"), created_at_ms=2**63), replace(text("a"), text="half \ud83d")])
def test_what_no_database_can_hold_is_refused(store: TextStore, kind: str, broken: object) -> None:
    if kind == "memory":
        pytest.skip("memory holds anything")
    with pytest.raises(InvalidInput):
        store.apply([PutText(text("b")), PutText(broken)])
    store.apply([PutText(text("c"))])
    assert store.get("c") == text("c")


def test_a_closed_store_says_so(store: TextStore) -> None:
    store.ping()
    store.close()
    store.close()
    with pytest.raises(StoreUnavailable):
        store.apply([PutText(text("a"))])
