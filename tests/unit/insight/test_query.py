from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.errors import InvalidInput
from sentiment.insight.query.conditions import (
    AllOf,
    AnyOf,
    Condition,
    Everything,
    FieldIs,
    Near,
    Not,
    Phrase,
    Tone,
    topics_in,
    words_in,
)
from sentiment.insight.query.matching import matches
from sentiment.insight.query.parser import MAX_CHARACTERS, MAX_DEPTH, parse_query
from sentiment.insight.values import IndexedText
from sentiment.store.words import word_sequence

TEA, MILK, RAIN = (Phrase((word,)) for word in ("tea", "milk", "rain"))


def meaning(text: str) -> Condition:
    return parse_query(text, lambda name: f"key of {name}").condition


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("", Everything()),
        (" \n ", Everything()),
        ("Tea", TEA),
        ("tea milk", AllOf((TEA, MILK))),
        ("tea AND milk", AllOf((TEA, MILK))),
        ("tea Or milk", AnyOf((TEA, MILK))),
        ("tea or milk and not rain", AnyOf((TEA, AllOf((MILK, Not(RAIN)))))),
        ("(tea or milk) not rain", AllOf((AnyOf((TEA, MILK)), Not(RAIN)))),
        ("not not tea", TEA),
        ("not (not tea)", TEA),
        ("((tea))", TEA),
        ("don't", Phrase(("don", "t"))),
        ('"Heat  wave!"', Phrase(("heat", "wave"))),
        ('"and"', Phrase(("and",))),
        ("“heat wave”", Phrase(("heat", "wave"))),
        ("（tea）", TEA),
        ("茶と水", Phrase(("茶", "と", "水"))),
        ("👍🏽", Phrase(("👍", "🏽"))),
        ("#Climate", FieldIs("topic", "climate")),
        ("#climate, tea", AllOf((FieldIs("topic", "climate"), TEA))),
        ('topic:"Climate Change"', FieldIs("topic", "climate change")),
        ("LABEL:Positive", FieldIs("label", "positive")),
        ("label:unlabelled", FieldIs("label", "unlabelled")),
        ("lang: DE", FieldIs("lang", "de")),
        ("source:My_Feed", FieldIs("source", "My_Feed")),
        ("author:Ann", FieldIs("author", "key of Ann")),
        ("version:v03", FieldIs("version", "3")),
        ("tone < -0.5", Tone("<", -0.5)),
        ("tone>=.25", Tone(">=", 0.25)),
        ("TONE <= −1", Tone("<=", -1)),
        ("tone near far", AllOf((Phrase(("tone",)), Phrase(("near",)), Phrase(("far",))))),
        ("near(3, tea milk)", Near(3, (TEA,), (MILK,))),
        ('NEAR ( 5 , "heat wave" (tea or milk))', Near(5, (Phrase(("heat", "wave")),), (TEA, MILK))),
        (
            "overtone and android or norway",
            AnyOf((AllOf((Phrase(("overtone",)), Phrase(("android",)))), Phrase(("norway",)))),
        ),
    ],
)
def test_a_search_means_what_it_says(text, condition):
    assert meaning(text) == condition


@pytest.mark.parametrize(
    ("text", "character", "cause"),
    [
        ("tea and", 8, "the search ends here"),
        ("and tea", 1, "'and' cannot stand here"),
        ("tea or or milk", 8, "'or' cannot stand here"),
        ("(tea", 5, "add )"),
        ("tea)", 4, "this ) has no ( before it"),
        ("()", 2, "')' cannot stand here"),
        ('tea "open', 5, "not closed"),
        ("tea & milk", 5, "'&' holds no word"),
        ('tea "!?"', 5, "holds no word"),
        ("tea #!", 5, "not a hashtag"),
        ("tea #a", 5, "not a hashtag"),
        ("lable:positive", 1, "'lable:' is not a field; use label:"),
        ("label:good", 7, "'good' is not a label; use negative"),
        ("tea lang:", 10, "lang: has no value"),
        ('author:" "', 8, "author: has no value"),
        ("version:x", 9, "'x' is not a model version"),
        ("tone = 0.5", 1, "use <, <=, > or >="),
        ("tone < much", 8, "a number from -1 to 1"),
        ("tone < -3", 8, "a number from -1 to 1"),
        ("tone < nan", 8, "a number from -1 to 1"),
        ("tea near(x, a b)", 5, "a distance from 1 to 50"),
        ("near(0, a b)", 1, "a distance from 1 to 50"),
        ("near(51, a b)", 1, "a distance from 1 to 50"),
        ("near(3 a b)", 1, "a comma"),
        ("near(3, a)", 10, "two words, phrases or groups"),
        ("near(3, a b c)", 13, "two words, phrases or groups"),
        ("near(3, a (b and c))", 14, "two words, phrases or groups"),
        ("near(3, a #tea)", 11, "two words, phrases or groups"),
        ("near(3, (a or b or c or d or e or f) (a or b or c or d or e))", 1, "30 pairs, more than 25"),
        ("(" * (MAX_DEPTH + 1) + "tea" + ")" * (MAX_DEPTH + 1), MAX_DEPTH + 1, "deeper than 20"),
    ],
)
def test_a_wrong_search_is_told_with_the_place_of_the_mistake(text, character, cause):
    with pytest.raises(InvalidInput) as caught:
        meaning(text)
    assert caught.value.field == "q"
    assert f"at character {character}:" in str(caught.value)
    assert cause in str(caught.value)


def test_a_search_that_is_too_long_is_refused():
    assert meaning("a" * MAX_CHARACTERS)
    with pytest.raises(InvalidInput, match="1,001 characters"):
        meaning("a" * (MAX_CHARACTERS + 1))


def test_near_that_would_keep_an_index_busy_for_seconds_is_refused():
    assert meaning('near(50, "a b" c) near(50, c c)')
    for search in ('near(50, "a b" c) near(50, c c) near(1, d e)', 'near(20, ("a b" or "c d" or x) ("e f" or "g h"))'):
        with pytest.raises(InvalidInput, match="more than 200; lower the distance"):
            meaning(search)
    assert meaning("near(50, (a or b or c or d or e) (f or g or h or i or j))")


@given(st.text(alphabet='ab ()"#:<>=,-.0123456789nearotd\n&“茶😀', max_size=60) | st.text(max_size=60))
def test_whatever_is_typed_is_a_search_or_a_mistake_in_q(text):
    try:
        condition = meaning(text)
    except InvalidInput as exc:
        field = exc.field
    else:
        field = "q"
        matches(condition, IndexedText("1", 1, ("a", "b"), 0))
    assert field == "q"


@pytest.mark.parametrize(
    ("search", "text", "found"),
    [
        ('"a b"', "x a b", True),
        ('"a b"', "b a", False),
        ('"a a"', "a b a", False),
        ("near(1, a b)", "b a", True),
        ("near(1, a b)", "a x b", False),
        ("near(2, a b)", "b x a", True),
        ("near(2, a a)", "a", False),
        ("near(2, a a)", "a x a", True),
        ('near(1, "a b" c)', "c a b", True),
        ('near(1, "a b" c)', "a c b", False),
        ('near(1, "a b" b)', "a b", False),
        ("near(1, (x or a) (y or b))", "q a b", True),
        ("not a", "b", True),
        ("a or c", "b", False),
        ("tone < 0", "a", False),
        ("#aa", "#aa", False),
    ],
)
def test_a_text_is_found_or_not(search, text, found):
    assert matches(meaning(search), IndexedText("1", 1, tuple(word_sequence(text)), 0)) is found


def test_a_search_names_its_words_and_topics():
    condition = meaning('tea not (milk or near(2, "heat wave" rain)) #sun topic:"x y" label:positive')
    assert set(words_in(condition)) == {"tea", "milk", "heat", "wave", "rain"}
    assert set(topics_in(condition)) == {"sun", "x y"}
