"""Which languages a version that was trained or imported names."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from sentiment.errors import InvalidInput
from sentiment.training.config import TrainConfig, from_mapping
from sentiment.version import read_version, write_manifest
from tests.tiny_model import build_tiny_version
from train_jobs.train.training_options import TrainOptions
from train_jobs.versions.version_languages import languages_of_start, version_languages

ENGLISH = ["The food was delicious and the staff were very friendly.", "I waited two hours and nobody came."] * 10
GERMAN = ["Das Essen war köstlich und die Bedienung sehr freundlich."] * 5


def _version_of(folder: Path, *languages: str) -> str:
    build_tiny_version(folder)
    write_manifest(folder, read_version(folder).manifest.model_copy(update={"languages": languages}))
    return str(folder)


def test_what_starts_from_an_english_encoder_reads_english() -> None:
    assert version_languages(TrainConfig(), ENGLISH) == ("en",)


def test_what_starts_from_a_version_reads_what_that_one_reads(tmp_path: Path) -> None:
    german = _version_of(tmp_path / "german", "de", "en")
    assert version_languages(TrainConfig(backbone=german), ENGLISH + GERMAN) == ("de", "en")
    assert languages_of_start(_version_of(tmp_path / "any")) == ()


def test_of_other_encoders_no_language_is_known(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    assert languages_of_start(str(tmp_path)) == ()
    assert languages_of_start("owner/name@main") == ()


def test_a_version_that_learned_from_other_languages_names_none_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert version_languages(TrainConfig(), ENGLISH + GERMAN) == ()
    assert "20% of the validation texts are in other languages than English" in caplog.text
    assert "--languages" in caplog.text


def test_a_few_texts_of_another_language_change_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert version_languages(TrainConfig(), ENGLISH + GERMAN[:2]) == ("en",)
    assert caplog.text == ""


def test_languages_that_are_asked_for_stand_whatever_the_texts_are_in() -> None:
    assert version_languages(TrainConfig(languages="de,fr"), ENGLISH) == ("de", "fr")
    assert version_languages(TrainConfig(languages="any"), ENGLISH) == ()
    assert TrainOptions(languages="de").fields["languages"] == "de"


@pytest.mark.parametrize("given", ["english", "", "en,en"])
def test_a_language_that_is_none_is_refused_before_anything_is_trained(given: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        from_mapping({"languages": given})
    assert caught.value.field == "languages"


def test_a_run_of_before_is_the_same_run() -> None:
    assert "languages" not in TrainConfig().to_mapping()
    config = TrainConfig(languages="de")
    assert from_mapping(config.to_mapping()) == config
