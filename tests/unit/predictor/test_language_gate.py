"""Texts that a version cannot read: in a language that its manifest does not name, or of unknown pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sentiment.errors import ModelRejected
from sentiment.labels import prior_of, sentiment_of, verdict_of
from sentiment.predictor import Predictor
from sentiment.predictor.language_gate import LanguageGate, Reading
from sentiment.version import Manifest, Version, file_facts, read_version, write_manifest
from tests.tiny_model import build_tiny_version

GERMAN = "das essen war gut und die bedienung sehr freundlich"
ENGLISH = "i love this phone and i like it every single day"
JAPANESE = "この店のラーメンは本当においしかった"


def _with_languages(folder: Path, *languages: str, name: str = "sentiment") -> Version:
    build_tiny_version(folder, name=name)
    manifest = read_version(folder).manifest.model_dump() | {"languages": languages, "files": file_facts(folder)}
    write_manifest(folder, Manifest.model_validate(manifest))
    return read_version(folder)


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor.load(_with_languages(tmp_path_factory.mktemp("english"), "en"))


@pytest.fixture(scope="module")
def any_language(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor.load(_with_languages(tmp_path_factory.mktemp("any")))


def test_a_text_in_a_language_that_the_manifest_does_not_name_gets_the_prior(english: Predictor) -> None:
    answers = english.predict([ENGLISH, GERMAN, ENGLISH])
    assert answers.languages == ["en", "de", "en"]
    assert answers.supported == [True, False, True]
    assert answers.probabilities[1] == (0.3, 0.4, 0.3)
    assert answers.probabilities[0] == answers.probabilities[2] != answers.probabilities[1]


def test_a_version_that_names_no_language_answers_all_and_tells_the_language(any_language: Predictor) -> None:
    answers = any_language.predict([GERMAN])
    assert (answers.languages, answers.supported) == (["de"], [True])
    assert answers.probabilities[0] != (0.3, 0.4, 0.3)


def test_a_measurement_gets_what_the_model_says_of_a_text_that_is_not_supported(
    english: Predictor, any_language: Predictor
) -> None:
    answers = english.predict([GERMAN], gated=False)
    assert answers.supported == [False]
    assert answers.probabilities == any_language.predict([GERMAN]).probabilities


def test_more_than_a_third_of_unknown_pieces_make_a_text_unsupported(any_language: Predictor) -> None:
    texts = ["good day 好", "good 好", JAPANESE, "good", "好"]
    assert any_language.predict(texts).supported == [True, False, False, True, False]


def test_an_unknown_emoji_hides_no_word_but_says_nothing_alone(any_language: Predictor) -> None:
    answers = any_language.predict(["thanks 🫶🫶", "love 🫶 🫶 🫶", "🫶🫶", "!!! ???"])
    assert answers.supported == [True, True, False, True]


def test_switched_off_no_language_is_told_and_only_unknown_pieces_count(tmp_path: Path) -> None:
    predictor = Predictor.load(_with_languages(tmp_path, "en"), identify_languages=False)
    answers = predictor.predict([ENGLISH, GERMAN, JAPANESE])
    assert answers.languages == [None, None, None]
    assert answers.supported == [True, True, False]


def test_a_version_whose_self_check_is_in_another_language_than_it_names_loads(tmp_path: Path) -> None:
    predictor = Predictor.load(_with_languages(tmp_path, "de"))
    assert predictor.predict([ENGLISH, GERMAN]).supported == [False, True]
    assert predictor.check_self() < 0.02


def test_a_failed_text_stays_a_failure_whatever_its_language(tmp_path: Path) -> None:
    folder = build_tiny_version(tmp_path, crash_word="kaboom")
    manifest = read_version(folder).manifest.model_copy(update={"languages": ("en",)})
    write_manifest(folder, manifest)
    answers = Predictor.load(folder).predict([f"{GERMAN} kaboom", GERMAN])
    assert answers.probabilities[0] is None
    assert list(answers.errors) == [0]
    assert answers.probabilities[1] == (0.3, 0.4, 0.3)


def test_without_neutral_the_prior_is_even_and_the_label_the_first_one(tmp_path: Path) -> None:
    predictor = Predictor.load(_with_languages(tmp_path, "en", name="sentiment-reviews"))
    assert predictor.predict([GERMAN]).probabilities[0] == (0.5, 0.5)


def test_the_prior_is_neutral_of_low_score_and_moves_no_trend() -> None:
    prior = prior_of(("negative", "neutral", "positive"))
    assert sum(prior) == pytest.approx(1.0)
    assert int(np.argmax(prior)) == 1
    assert max(prior) <= 0.4
    assert sentiment_of(prior, ("negative", "neutral", "positive")) == 0.0


def test_the_verdict_of_an_unsupported_text_says_so() -> None:
    assert verdict_of(0.0, is_supported=False) == "Unsupported"
    assert verdict_of(0.9) == "Extremely Positive"


def test_a_gate_without_an_identifier_counts_unknown_pieces() -> None:
    gate = LanguageGate(("en",), None)
    assert gate.read(GERMAN, 1 / 3) == Reading(None, is_supported=True)
    assert gate.read(GERMAN, 0.34) == Reading(None, is_supported=False)


@pytest.mark.parametrize(
    ("languages", "said"),
    [
        (["english"], "language 'english' is unknown"),
        (["en", "en"], "'en' is named twice"),
        ("en", "languages: must be"),
    ],
)
def test_a_manifest_with_languages_that_are_none_is_refused(tmp_path: Path, languages: object, said: str) -> None:
    version = _with_languages(tmp_path, "en")
    path = version.file("manifest.json")
    path.write_text(
        path.read_text().replace('"languages": [\n    "en"\n  ]', f'"languages": {languages!r}'.replace("'", '"'))
    )
    with pytest.raises(ModelRejected, match=said):
        read_version(tmp_path)


def test_a_manifest_of_before_names_no_language(tmp_path: Path) -> None:
    version = _with_languages(tmp_path)
    path = version.file("manifest.json")
    assert '"languages": [],' in path.read_text()
    path.write_text(path.read_text().replace('"languages": [],', ""))
    assert read_version(tmp_path).manifest.languages == ()
