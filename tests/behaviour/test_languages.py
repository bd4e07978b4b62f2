"""The shipped model reads English: texts in other languages are not supported, odd English ones are."""

from __future__ import annotations

from pathlib import Path

import pytest

import sentiment
from sentiment.labels import THREE_CLASSES
from sentiment.predictor import Predictor
from sentiment.text import NORMALIZERS
from tests.behaviour.foreign_texts import MORE_LANGUAGES, TWENTY_LANGUAGES
from tests.behaviour.odd_english import ODD_ENGLISH

SHIPPED = Path(sentiment.__file__).parent / "shipped" / "sentiment"
LEAST_UNSUPPORTED = 0.9


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.load(SHIPPED)


def _supported(predictor: Predictor, texts: list[str]) -> list[str]:
    normalize = NORMALIZERS[predictor.version.manifest.normalizer]
    answers = predictor.predict([normalize(text) for text in texts])
    return [text for text, supported in zip(texts, answers.supported, strict=True) if supported]


def test_sentences_in_twenty_other_languages_are_not_supported(predictor: Predictor) -> None:
    texts = [text for sentences in TWENTY_LANGUAGES.values() for text in sentences]
    assert (len(texts), len(TWENTY_LANGUAGES)) == (60, 20)
    missed = _supported(predictor, texts)
    assert len(missed) <= (1 - LEAST_UNSUPPORTED) * len(texts), missed


def test_most_sentences_of_further_languages_are_not_supported_either(predictor: Predictor) -> None:
    missed = _supported(predictor, list(MORE_LANGUAGES))
    assert len(missed) <= (1 - LEAST_UNSUPPORTED) * len(MORE_LANGUAGES), missed


def test_an_unsupported_text_is_neutral_without_confidence_whatever_the_model_thinks(predictor: Predictor) -> None:
    texts = [text for sentences in TWENTY_LANGUAGES.values() for text in sentences]
    answers = predictor.predict(texts)
    unsupported = [
        row for row, supported in zip(answers.probabilities, answers.supported, strict=True) if not supported
    ]
    assert {THREE_CLASSES[row.index(max(row))] for row in unsupported if row} == {"neutral"}
    assert {max(row) for row in unsupported if row} == {0.4}
    asked = predictor.predict(texts, gated=False)
    assert max(max(row) for row in asked.probabilities if row) > 0.9, "the model itself would have been sure"


def test_most_of_these_languages_are_told_by_name(predictor: Predictor) -> None:
    told = {
        language: predictor.predict(list(sentences)).languages.count(language)
        for language, sentences in TWENTY_LANGUAGES.items()
    }
    assert sum(told.values()) >= 0.9 * 60, told


def test_english_stays_supported_however_odd_it_looks(predictor: Predictor) -> None:
    assert len(ODD_ENGLISH) >= 200
    missed = set(ODD_ENGLISH) - set(_supported(predictor, list(ODD_ENGLISH)))
    assert not missed


def test_english_is_told_and_never_taken_for_another_language(predictor: Predictor) -> None:
    languages = predictor.predict(list(ODD_ENGLISH)).languages
    assert set(languages) == {"en", None}
    assert languages.count("en") >= 40
