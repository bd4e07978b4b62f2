"""Preprocessing steps: what each does, in which order, and that training and serving do them alike."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.errors import InvalidInput
from sentiment.text.steps import STEPS, base, lower, open_steps, steps_key, steps_problem

pytest.importorskip("snowballstemmer", reason="the steps stem and lemma need the steps extra")
pytest.importorskip("simplemma", reason="the steps stem and lemma need the steps extra")

ANYTHING = st.text(st.characters(exclude_categories=()), max_size=80)
WORDS = ("I", "don't", "LIKE", "the", "-", "running", "dogs", ",", "they're", "WORSE", "@user", ":(", "http", "[email]")
ENGLISH = st.lists(st.sampled_from(WORDS)).map(" ".join)


@pytest.mark.parametrize(
    ("steps", "text", "wanted"),
    [
        (("base", "lower", "stem", "lemma"), "THIs is GOING to be A wonDERFUL daY", "this be go to be a wonder day"),
        (
            ("base", "stem"),
            "The quick brown fox jumps over the lazy dog. ",
            "the quick brown fox jump over the lazi dog .",
        ),
        (("base", "lemma"), "I am running in the - park.", "I be run in the park ."),
    ],
)
def test_the_golden_pairs_of_the_original_stack_hold(steps: tuple[str, ...], text: str, wanted: str) -> None:
    """The three pairs come out as they did of spaCy's lemmas and NLTK's Snowball.

    Elsewhere the libraries differ: spaCy reads a word's part of speech from the sentence, simplemma has one lemma a
    word (`better` is always `good`, `meeting` always `meet`); spaCy keeps `it's` as two words, simplemma drops the 's.
    """
    assert open_steps(steps)(text) == wanted


@pytest.mark.parametrize(
    ("steps", "text", "wanted"),
    [
        (("base",), "  - well-known --  :-)  -5 - ", "well-known :-) -5"),
        (("lower",), "LOUD É 😡", "loud é 😡"),
        (("lemma",), "I don't think they can’t", "I do not think they can not"),
        (("stem",), "Don't!", "do n't !"),
        (("lemma", "stem"), "@user sent [email] http :( 😡😡", "@user send [email] http :( 😡😡"),
        (("lemma",), "x" * 5000, "x" * 5000),
        (("base", "lemma"), "-", ""),
        ((), "As  it IS", "As  it IS"),
    ],
)
def test_a_step_does_what_its_name_says(steps: tuple[str, ...], text: str, wanted: str) -> None:
    assert open_steps(steps)(text) == wanted


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (("lower", "lemma"), "we"),
        (("lemma", "lower"), "us"),
        (("lemma", "stem"), "happi"),
        (("stem", "lemma"), "happy"),
    ],
)
def test_steps_are_done_in_the_order_in_which_they_are_written(steps: tuple[str, ...], wanted: str) -> None:
    word = "US" if "lower" in steps else "happier"
    assert open_steps(steps)(word) == wanted


@given(ANYTHING)
def test_base_and_lower_done_twice_change_nothing_more(text: str) -> None:
    assert base(base(text)) == base(text)
    assert lower(lower(text)) == lower(text)


@given(ANYTHING | ENGLISH, st.permutations(STEPS))
def test_no_text_makes_the_steps_fail(text: str, steps: list[str]) -> None:
    assert isinstance(open_steps(steps)(text), str)


@given(ENGLISH, st.permutations(STEPS))
def test_several_steps_are_each_step_after_the_other(text: str, steps: list[str]) -> None:
    one_by_one = text
    for step in steps:
        one_by_one = open_steps([step])(one_by_one)
    assert open_steps(steps)(text) == one_by_one


@given(ENGLISH)
def test_masks_outlive_every_step(text: str) -> None:
    found = open_steps(["base", "lower", "lemma", "stem"])(text)
    for mask in ("@user", "http", "[email]"):
        assert found.split().count(mask) == text.split().count(mask)


@pytest.mark.parametrize(
    "text", ["यह किताब अच्छी है", "এই বইটি ভালো", "นี่ ดี มาก", "می\u200cخواهم", "👨\u200d👩\u200d👧 ❤️\u200d🔥"]
)
def test_words_and_pictures_of_other_scripts_stay_whole(text: str) -> None:
    assert open_steps(("stem", "lemma"))(text) == text


def test_threads_may_share_the_stemmer() -> None:
    steps = open_steps(["stem"])
    words = [f"{letter}{number}running" for letter in "abcdefgh" for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(steps, words)) == [word.removesuffix("ning") for word in words]


def test_an_unknown_step_and_one_that_stands_twice_are_named() -> None:
    assert steps_problem(["base", "stem"]) is None
    with pytest.raises(InvalidInput, match="step 'stemm' is unknown; there are base, lower, stem, lemma") as caught:
        open_steps(["base", "stemm"])
    assert caught.value.field == "steps"
    with pytest.raises(InvalidInput, match="'base' stands twice in base, lower, base"):
        open_steps(["base", "lower", "base"])


def test_a_step_whose_library_is_missing_names_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "simplemma", None)
    with pytest.raises(InvalidInput, match=r"step 'lemma' needs simplemma, .*: pip install 'undertone\[steps\]'"):
        open_steps(["lower", "lemma"])


def test_what_stands_for_the_steps_names_their_order_and_the_versions_of_their_libraries() -> None:
    keys = {steps_key(names) for names in ([], ["lower", "stem"], ["stem", "lower"], ["stem"])}
    assert len(keys) == 4
    assert '"stem 3.' in steps_key(["stem"])
