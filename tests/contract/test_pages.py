from __future__ import annotations

import base64

import pytest

from sentiment.errors import InvalidInput
from sentiment.records import DeleteText, PutText, TextQuery, TextRecord
from sentiment.store.base import TextStore
from tests.contract.stores import NOW_MS, labelled, text

BROKEN_INSIDE = [b"null", b"[]", b"[1,2]", b'[1,"a",3]', b"{}", b'[99999999999999999999,"a"]', b'[true,"a"]']
BROKEN_INSIDE += [b'[1.5,"a"]', b'[1,{"$ne":1}]', b'[1,"\\ud83d"]', b'[NaN,"a"]', b'[1,"a\\u0000"]', b"[" * 2000]
BROKEN_CURSORS = ["", "x", "!!", "é", "1" * 100_000, "[" * 3000, "\ud83d"]
BROKEN_CURSORS += [base64.urlsafe_b64encode(broken).decode() for broken in BROKEN_INSIDE]


def put(store: TextStore, *records: TextRecord) -> None:
    store.apply([PutText(record) for record in records])


def ids(store: TextStore, query: TextQuery) -> list[str]:
    return [record.id for record in store.page(query, 100).records]


def walk(store: TextStore, query: TextQuery, limit: int) -> list[str]:
    found, cursor = [], None
    while True:
        page = store.page(query, limit, cursor)
        found += [record.id for record in page.records]
        cursor = page.next_cursor
        if cursor is None:
            return found


def test_pages_go_from_new_to_old_and_by_id_within_a_millisecond(store: TextStore) -> None:
    put(store, *(text(f"t{n:02}", created_at_ms=NOW_MS + n // 3) for n in range(20)))
    expected = [f"t{n:02}" for n in reversed(range(20))]
    for limit in (1, 2, 7, 20, 21):
        assert walk(store, TextQuery(), limit) == expected


def test_the_last_page_has_no_cursor(store: TextStore) -> None:
    assert store.page(TextQuery(), 5).next_cursor is None
    put(store, *(text(f"t{n}") for n in range(5)))
    assert store.page(TextQuery(), 5).next_cursor is None
    assert store.page(TextQuery(), 4).next_cursor is not None


def test_texts_that_come_or_go_between_pages_disturb_none(store: TextStore) -> None:
    put(store, *(text(f"t{n:02}", created_at_ms=NOW_MS + n) for n in range(10)))
    first = store.page(TextQuery(), 4)
    put(store, text("newer", created_at_ms=NOW_MS + 50), text("older", created_at_ms=NOW_MS - 1))
    store.apply([DeleteText(first.records[-1].id, NOW_MS + 60)])
    second = store.page(TextQuery(), 4, first.next_cursor)
    third = store.page(TextQuery(), 4, second.next_cursor)
    assert [record.id for record in second.records + third.records] == [
        *(f"t{n:02}" for n in range(5, -1, -1)),
        "older",
    ]


@pytest.mark.parametrize("cursor", BROKEN_CURSORS)
def test_a_broken_cursor_is_refused(store: TextStore, cursor: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        store.page(TextQuery(), 5, cursor)
    assert caught.value.field == "after"


def test_each_filter_filters(store: TextStore) -> None:
    one = labelled(
        "one", "tea is great", source="rss", author_key="ann", topics=("tea", "drinks"), created_at_ms=NOW_MS
    )
    two = labelled("two", "tea is bad", label="negative", model_version=8, created_at_ms=NOW_MS + 1, topics=("tea",))
    three = text("three", "coffee", source="api", author_key="bob", created_at_ms=NOW_MS + 2)
    put(store, one, two, three)
    expected = {
        TextQuery(): ["three", "two", "one"],
        TextQuery(label="positive"): ["one"],
        TextQuery(source="rss"): ["one"],
        TextQuery(author_key="bob"): ["three"],
        TextQuery(topic="tea"): ["two", "one"],
        TextQuery(topic="te"): [],
        TextQuery(model_version=8): ["two"],
        TextQuery(created_from_ms=NOW_MS + 1): ["three", "two"],
        TextQuery(created_to_ms=NOW_MS + 1): ["one"],
        TextQuery(created_from_ms=NOW_MS + 1, created_to_ms=NOW_MS + 2): ["two"],
        TextQuery(topic="tea", label="negative"): ["two"],
        TextQuery(topic="tea", search="great"): ["one"],
        TextQuery(search="tea", label="negative", created_from_ms=NOW_MS): ["two"],
    }
    for query, wanted in expected.items():
        assert ids(store, query) == wanted, query
        assert sum(store.count(query).values()) == len(wanted), query
        assert walk(store, query, 1) == wanted, query


def test_texts_are_counted_by_label(store: TextStore) -> None:
    put(store, labelled("a"), labelled("b"), labelled("c", label="negative"), text("d"))
    assert store.count(TextQuery()) == {"positive": 2, "negative": 1, "unlabelled": 1}
    assert store.count(TextQuery(label="positive")) == {"positive": 2}
    assert store.count(TextQuery(source="nowhere")) == {}


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("CAFÉ", ["fr"]),
        ("cafe", []),
        ("straße", ["de"]),
        ("STRASSE", ["de"]),
        ("中文", ["zh"]),
        ("हिन्दी", ["hi"]),
        ("😀", ["emoji"]),
        ("👍 great", ["emoji"]),
        ("don't", ["en"]),
        ("won't", []),
        ("phone great", ["en", "emoji"]),
        ("great OR coffee", []),
        ("pho*", []),
        ("NOT phone", []),
        ('"great', ["emoji", "en"]),
        ("text:great", ["emoji"]),
        ("$great -phone", ["emoji", "en"]),
    ],
)
def test_search_finds_texts_that_hold_all_words(store: TextStore, search: str, found: list[str]) -> None:
    put(
        store,
        text("fr", "Un café, s'il vous plaît"),
        text("de", "Die Straße ist gut"),
        text("zh", "我说中文，很好"),
        text("hi", "हिन्दी में लिखा"),
        text("emoji", "great 😀👍 text phone"),
        text("en", "I don't like my great Phone."),
    )
    assert sorted(ids(store, TextQuery(search=search))) == sorted(found)


@pytest.mark.parametrize("search", ["", " ", "!!!", '"', "*"])
def test_a_search_without_words_is_refused(store: TextStore, search: str) -> None:
    for ask in (lambda query: store.page(query, 5), store.count):
        with pytest.raises(InvalidInput) as caught:
            ask(TextQuery(search=search))
        assert caught.value.field == "search"


@pytest.mark.parametrize("value", ['{"$ne": null}', "' OR '1'='1", '"a" OR NEAR(', "%", "*", "a AND NOT b", "$where"])
def test_values_of_a_query_are_data(store: TextStore, value: str) -> None:
    put(store, labelled("victim", "nothing of that", source="s", author_key="a", topics=("t",)))
    for name in ("label", "source", "author_key", "topic"):
        assert ids(store, TextQuery(**{name: value})) == []
        assert store.count(TextQuery(**{name: value})) == {}
    put(store, labelled("own", source=value, author_key=value, topics=(value,)))
    for name in ("source", "author_key", "topic"):
        assert ids(store, TextQuery(**{name: value})) == ["own"]
