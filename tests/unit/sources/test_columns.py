"""Rows as records: ids that stay, authors, topics, labels, and times that cannot be."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.datasets.source.labelling import Labelling
from sentiment.errors import InvalidInput
from sentiment.identifiers import ID_PATTERN
from sentiment.sources import Columns, Rejected, RowReader, SourceText, TimeReader
from sentiment.sources.columns import named_id, row_id, topics_of
from sentiment.tables import Row

NOW_MS = 1_800_000_000_000
EVERY = Columns("text", "when", "who", "about", "id", "label")


def reader(columns: Columns = EVERY, labels: str | None = None) -> RowReader:
    return RowReader("tweets", columns, TimeReader(), Labelling(labels), lambda: NOW_MS)


def row(number: int = 1, **values: object) -> Row:
    whole = {
        "text": "I love it",
        "when": "2009-05-11T03:17:40Z",
        "who": "ann",
        "about": "a,b",
        "id": "7",
        "label": "pos",
    }
    return Row(number, whole | values)


def test_a_row_becomes_a_text_with_all_that_its_columns_say():
    text = SourceText("tweets:7", "I love it", 1_242_011_860_000, "ann", ("a", "b"), "positive")
    assert reader().read(row()) == text


def test_without_columns_for_them_there_is_no_time_author_topic_or_label():
    record = reader(Columns()).read(row(3))
    assert record == SourceText(row_id("tweets", 3, "I love it"), "I love it")


@pytest.mark.parametrize("when", ["1969-12-31T23:59:59Z", NOW_MS + 600_001])
def test_a_time_that_cannot_be_is_left_out_and_said_to_be_corrected(when):
    record = reader().read(row(when=when))
    assert (record.created_at_ms, record.is_corrected) == (None, True)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"text": ""}, "'text' is empty"),
        ({"text": "\u200b"}, "'text' is empty"),
        ({"text": 7}, "'text' holds 7, not text"),
        ({"when": ""}, "'when' is empty"),
        ({"when": "soon"}, "'when' holds 'soon', which is not a time"),
        ({"when": "03/04/2009"}, "give --time-format to say which"),
        ({"id": " "}, "'id' is empty"),
        ({"label": "so-so"}, "so-so"),
    ],
)
def test_a_row_that_cannot_be_kept_says_why_and_loses_nothing(values, reason):
    given = row(**values)
    record = reader().read(given)
    assert isinstance(record, Rejected)
    assert reason in record.reason
    assert record.values == given.values


def test_a_row_that_cannot_be_read_keeps_its_own_reason():
    assert reader().read(Row(2, {"text": "x"}, "has 1 cell")) == Rejected("has 1 cell", {"text": "x"})


def test_numbers_get_the_labels_that_were_said_and_no_label_is_none():
    assert reader(labels="0=negative,4=positive").read(row(label=4.0)).label == "positive"
    assert reader(labels="0=negative,4=positive").read(row(label="")).label is None


def test_labels_without_a_meaning_are_refused_before_anything_is_sent():
    with pytest.raises(InvalidInput, match="row 2 has the label 4: say what the numbers mean: --labels"):
        reader().require_labels([row(1, label=""), row(2, label=4)])


@given(st.text(min_size=1), st.integers(1, 10**9))
def test_ids_are_ones_that_the_platform_takes_and_stay_the_same(text, number):
    for id_ in (row_id("tweets", number, text), named_id("tweets", text)):
        assert re.fullmatch(ID_PATTERN, id_)
        assert id_.startswith("tweets:")
    assert row_id("tweets", number, text) == row_id("tweets", number, text)
    assert row_id("tweets", number, text) != row_id("tweets", number + 1, text)


def test_two_ids_that_no_platform_takes_stay_two():
    assert named_id("tweets", "a/b") != named_id("tweets", "a b")


@pytest.mark.parametrize(
    ("cell", "topics"),
    [
        ("a, b;c|a", ("a", "b", "c")),
        (["a", " ", None, 7], ("a", "7")),
        ("", ()),
        (None, ()),
        (float("nan"), ()),
        ("x" * 70, ("x" * 64,)),
        (",".join(map(str, range(30))), tuple(map(str, range(20)))),
    ],
)
def test_topics_come_from_lists_and_from_texts_each_once(cell, topics):
    assert topics_of(cell) == topics


def test_pandas_numbers_beside_an_empty_cell_name_as_whole_ones_do():
    assert reader().read(row(id=1467810369.0)).id == "tweets:1467810369"


NESTED = {
    "full_text": "I love it",
    "created_at": "Wed Oct 10 20:19:24 +0000 2018",
    "user": {"screen_name": "ann", "id": 7},
    "entities": {"hashtags": [{"text": "wombats"}, {"indices": [1, 2]}, "zoo"]},
}


def test_names_lead_into_objects_as_twitter_writes_them():
    columns = Columns("full_text", "created_at", "user.screen_name", "entities.hashtags", "user.id")
    record = reader(columns).read(Row(1, NESTED))
    assert record == SourceText("tweets:7", "I love it", 1_539_202_764_000, "ann", ("wombats", "zoo"))
    assert reader(Columns("user.text")).read(Row(1, NESTED)).reason == "has no 'user.text'"


def test_a_column_with_a_dot_in_its_name_is_that_column():
    assert reader(Columns("a.b")).read(Row(1, {"a.b": "I love it", "a": {"b": "no"}})).text == "I love it"


@pytest.mark.parametrize("columns", [Columns("full_text", author="user"), Columns("full_text", id="user")])
def test_an_object_in_the_place_of_a_name_is_told_with_the_way_into_it(columns):
    assert "'user' holds {" in reader(columns).read(Row(1, NESTED)).reason
    assert "choose one inside it, such as user.name" in reader(columns).read(Row(1, NESTED)).reason
