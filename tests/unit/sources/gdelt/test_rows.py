"""Rows of events, mentions and articles: every column in its place, and broken ones told."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.sources.gdelt.columns import BrokenRow, read_moment
from sentiment.sources.gdelt.events import EVENTS, MENTIONS
from sentiment.sources.gdelt.gkg import GKG, GKG_1, ArticleTone, GkgPlace
from tests.gdelt_rows import event_row, gkg_row, mention_row

NOON_MS = 1_772_366_400_000


def with_cell(row: str, column: int, cell: str) -> str:
    cells = row.split("\t")
    cells[column] = cell
    return "\t".join(cells)


def test_the_tables_have_the_columns_that_the_codebooks_give_them():
    assert (EVENTS.width, MENTIONS.width, GKG.width, GKG_1.width) == (61, 16, 27, 11)


def test_an_event_has_its_actors_its_place_and_its_kind():
    event = EVENTS.read(event_row())
    assert (event.event_id, event.actor_1.name, event.actor_1.type_1_code, event.actor_2.code) == (
        1_204_567_890,
        "FRANCE",
        "LAB",
        "",
    )
    assert (event.event_code, event.event_kind, event.goldstein_scale, event.average_tone) == (
        "141",
        "protest",
        -6.5,
        -3.25,
    )
    assert (event.actor_2_place.kind, event.actor_2_place.latitude) == (0, None)
    assert (event.event_place.full_name, event.event_place.longitude) == ("Paris, France (General), France", 2.33333)
    assert (event.added_at, event.source_url) == (NOON_MS + 15 * 60_000, "https://herald.example/1")


def test_a_mention_has_its_article_and_its_times():
    mention = MENTIONS.read(mention_row())
    assert (mention.event_id, mention.identifier) == (1_204_567_890, "https://herald.example/1")
    assert (mention.event_at, mention.mentioned_at) == (NOON_MS + 15 * 60_000, NOON_MS + 30 * 60_000)
    assert (mention.confidence, mention.tone, mention.actor_1_offset) == (70, -3.25, -1)


def test_an_article_has_title_tone_names_and_places_by_how_often_they_come():
    article = GKG.read(gkg_row(title="Flood &amp; fear: &#x16F; &lt;b&gt;  up "))
    assert article.title == "Flood & fear: \u016f <b> up"
    assert article.at == NOON_MS
    assert article.tone == ArticleTone(-2.5, 1.25, 3.75, 5.0, 20.5, 0.5, 240)
    assert article.persons == {"Tom Hale": 2, "Rosa Quint": 1}
    assert article.organizations == {"River Board": 1}
    assert article.themes["NATURAL_DISASTER_FLOOD"] == 2
    germany, paris = (
        GkgPlace(1, "Germany", "GM", "GM"),
        GkgPlace(4, "Paris, France (General), France", "FR", "-1456928"),
    )
    assert article.places == {germany: 2, paris: 1}
    assert (paris.name, paris.country, germany.name) == ("Paris", "France", "Germany")
    assert article.original_language is None


def test_without_the_second_columns_the_first_are_read():
    row = gkg_row()
    for column in (8, 10, 12, 14):
        row = with_cell(row, column, "")
    article = GKG.read(row)
    assert article.persons == {"rosa quint": 1, "tom hale": 1}
    assert {place.name for place in article.places} == {"Germany", "Paris"}
    assert article.themes["WB_137_WATER"] == 1


def test_a_translated_article_names_its_language():
    article = GKG.read(with_cell(gkg_row(), 25, "srclc:ces;eng:Moses 2.1.1 / MosesCore Europarl cs-en"))
    assert article.original_language == "ces"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("", "has 1 columns, not 27"),
        (gkg_row() + "\t", "has 28 columns, not 27"),
        (with_cell(gkg_row(), 1, "20261301120000"), "at holds '20261301120000', which is not a time"),
        (with_cell(gkg_row(), 2, "one"), "collection holds 'one', which is not a whole number"),
    ],
)
def test_a_broken_row_says_what_is_wrong_with_it(row, message):
    with pytest.raises(BrokenRow, match=message):
        GKG.read(row)


@pytest.mark.parametrize("tone", ["1,2,3", "1,2,3,4,5,6,seven", "nan,1,1,1,1,1,1", "inf,1,1,1,1,1,1"])
def test_a_tone_that_is_none_is_broken(tone):
    with pytest.raises(BrokenRow):
        _ = GKG.read(with_cell(gkg_row(), 15, tone)).tone


def test_a_hostile_title_is_broken_and_costs_no_time():
    with pytest.raises(BrokenRow, match="character"):
        _ = GKG.read(gkg_row(title=f"&#{'1' * 5000};")).title
    assert GKG.read(with_cell(gkg_row(), 26, "<PAGE_TITLE>" * 100_000)).title == ""


@given(st.lists(st.text(max_size=8), min_size=27, max_size=27))
def test_whatever_stands_in_the_cells_is_a_row_or_broken(cells):
    with suppress(BrokenRow):
        article = GKG.read("\t".join(cells))
        _ = article.title, article.places, article.themes, article.persons, article.tone


def test_a_time_of_a_day_is_its_midnight():
    assert read_moment("20260301") == NOON_MS - 12 * 3_600_000
