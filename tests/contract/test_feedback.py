from __future__ import annotations

import pytest

from sentiment.errors import InvalidInput
from sentiment.records import AddFeedback, DeleteText, Feedback, Outcome, PutText, SetLabel
from sentiment.store.base import TextStore
from sentiment.store.state import MAX_SOURCES
from tests.contract.stores import NOW_MS, labelled, text

DONE, NOT_FOUND = Outcome.DONE, Outcome.NOT_FOUND


def said(label: str, source: str = "team", at_ms: int = NOW_MS + 1) -> AddFeedback:
    return AddFeedback("a", label, source, at_ms)


def words(store: TextStore) -> list[tuple[str, str]]:
    record = store.get("a")
    assert record is not None
    return [(word.source, word.label) for word in record.feedback]


def test_feedback_is_kept_with_its_text_and_leaves_the_label_alone(store: TextStore) -> None:
    store.apply([PutText(labelled("a"))])
    assert store.apply([said("negative", "café 🙂")]) == [DONE]
    record = store.get("a")
    assert record.feedback == (Feedback("café 🙂", "negative", NOW_MS + 1),)
    assert (record.label, record.labelled_by, record.model_version) == ("positive", "model", 7)


def test_the_same_feedback_again_changes_nothing(store: TextStore) -> None:
    store.apply([PutText(text("a"))])
    assert store.apply([said("negative"), said("negative")]) == [DONE, DONE]
    assert words(store) == [("team", "negative")]


def test_the_later_word_of_a_source_counts_whichever_comes_first(store: TextStore) -> None:
    store.apply([PutText(text("a")), said("neutral", at_ms=NOW_MS + 5)])
    store.apply([said("negative", at_ms=NOW_MS + 2)])
    assert words(store) == [("team", "neutral")]
    store.apply([said("positive", at_ms=NOW_MS + 9)])
    assert words(store) == [("team", "positive")]


def test_each_source_has_its_own_word(store: TextStore) -> None:
    store.apply([PutText(text("a")), said("neutral", "x", NOW_MS + 2), said("negative", "y", NOW_MS + 1)])
    assert words(store) == [("y", "negative"), ("x", "neutral")]


def test_of_too_many_sources_the_earliest_are_forgotten(store: TextStore) -> None:
    store.apply([PutText(text("a"))])
    store.apply([said("neutral", f"s{number}", NOW_MS + number) for number in range(MAX_SOURCES + 2)])
    assert words(store)[0] == ("s2", "neutral")
    assert len(words(store)) == MAX_SOURCES


def test_feedback_on_a_text_that_is_not_there_is_not_found(store: TextStore) -> None:
    assert store.apply([said("neutral")]) == [NOT_FOUND]


def test_feedback_goes_with_its_text(store: TextStore) -> None:
    store.apply([PutText(text("a")), said("neutral"), DeleteText("a", NOW_MS + 2)])
    assert store.apply([said("negative", at_ms=NOW_MS + 3)]) == [NOT_FOUND]
    store.apply([PutText(text("a", received_at_ms=NOW_MS + 9))])
    assert words(store) == []


def test_feedback_from_before_a_deletion_is_not_given_to_the_next_text(store: TextStore) -> None:
    store.apply([PutText(text("a")), DeleteText("a", NOW_MS + 5), PutText(text("a", received_at_ms=NOW_MS + 9))])
    assert store.apply([said("negative", at_ms=NOW_MS + 4)]) == [DONE]
    assert words(store) == []


def test_feedback_goes_when_its_text_expires(store: TextStore) -> None:
    store.apply([PutText(text("a", expires_at_ms=NOW_MS + 10)), said("neutral")])
    assert store.delete_expired(NOW_MS + 11) == 1
    assert store.apply([said("negative", at_ms=NOW_MS + 12)]) == [NOT_FOUND]


def test_a_new_label_and_a_retry_of_the_text_leave_feedback_alone(store: TextStore) -> None:
    store.apply([PutText(text("a")), said("neutral")])
    store.apply([SetLabel("a", "positive", NOW_MS + 3), PutText(labelled("a"))])
    assert words(store) == [("team", "neutral")]


def test_feedback_with_a_label_that_is_none_is_refused(store: TextStore) -> None:
    store.apply([PutText(text("a"))])
    with pytest.raises(InvalidInput) as caught:
        store.apply([said("lovely")])
    assert caught.value.field == "label"
