"""Which versions may be averaged, and on which texts their mean is chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="averaging needs the train extra")

from sentiment.datasets import open_datasets
from sentiment.errors import InvalidInput
from sentiment.labels import THREE_CLASSES
from sentiment.settings import load_settings
from sentiment.training.config import DistillConfig, TrainConfig
from sentiment.version import Manifest, Version
from tests.tiny_training import TINY, examples
from train_jobs.average import AverageConfig, judging_texts, run_averaging, shared_config
from train_jobs.train.prepare import RunLocations, digest_of, held_out_texts

CONFIG = TrainConfig(data="tweets@3")


def version(config: TrainConfig | None, engine: str = "torch", held_out: str | None = None) -> Version:
    dataset: dict[str, Any] = {"config": config.to_mapping()} if config else {}
    dataset |= {"held_out": held_out} if held_out else {}
    known = {"labels": THREE_CLASSES, "normalizer": "1", "engines": {engine: "a file"}, "dataset": dataset}
    return Version(Path("build/one"), Manifest.model_construct(**known), "0" * 64)


@pytest.mark.parametrize(
    "other",
    [
        replace(CONFIG, seed=7),
        replace(CONFIG, validation_share=0.2),
        replace(CONFIG, most_rows=1000),
        replace(CONFIG, data="tweets@4"),
        replace(CONFIG, validation="tweets-validation@1"),
        replace(CONFIG, distill=DistillConfig("teacher", unlabelled="texts.jsonl")),
    ],
)
def test_versions_that_held_out_other_texts_are_chosen_on_data_that_is_named_or_not_at_all(other: TrainConfig) -> None:
    versions = [version(CONFIG), version(other)]
    with pytest.raises(InvalidInput, match="--validation") as caught:
        shared_config(versions, None)
    assert caught.value.field == "validation"
    assert shared_config(versions, "fresh@1") == replace(CONFIG, validation="fresh@1")


def test_versions_that_held_out_the_same_texts_are_chosen_on_them() -> None:
    assert shared_config([version(CONFIG), version(replace(CONFIG, learning_rate=3e-5))], None) == CONFIG
    given = replace(CONFIG, validation="tweets-validation@1")
    assert shared_config([version(given), version(replace(given, seed=7))], None) == given


def test_versions_that_record_which_texts_they_held_out_are_compared_by_them() -> None:
    latest = replace(CONFIG, data="tweets@latest")
    for before in (None, "a"):
        with pytest.raises(InvalidInput, match="--validation"):
            shared_config([version(latest, held_out=before), version(latest, held_out="b")], None)
    assert shared_config([version(latest, held_out="a"), version(CONFIG, held_out="a")], None) == latest


def test_texts_that_were_held_out_and_are_not_found_again_are_not_chosen_on(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    open_datasets(settings).push("toys", examples(), source="tests")
    places, known = RunLocations.of(settings), digest_of(held_out_texts(TINY, RunLocations.of(settings)))
    assert judging_texts(version(TINY, held_out=known), TINY, places, named=False) == held_out_texts(TINY, places)
    for other in ("another", None):
        with pytest.raises(InvalidInput, match="--validation") as caught:
            judging_texts(version(TINY, held_out=other), TINY, places, named=False)
        assert caught.value.field == "validation"
    given = replace(TINY, validation="toys@1")
    assert len(judging_texts(version(given), given, places, named=False)) == 90
    assert len(judging_texts(version(TINY), given, places, named=True)) == 90


def test_a_version_that_does_not_say_how_it_was_trained_needs_data_that_is_named() -> None:
    with pytest.raises(InvalidInput, match="does not say how it was trained"):
        shared_config([version(CONFIG), version(None)], None)
    assert shared_config([version(CONFIG), version(None)], "fresh@1").validation == "fresh@1"
    with pytest.raises(InvalidInput, match="no weights"):
        shared_config([version(CONFIG), version(CONFIG, "onnx-int8")], None)


def test_a_folder_of_other_files_is_never_replaced_by_a_mean(tmp_path: Path) -> None:
    from sentiment.settings import Settings

    (tmp_path / "version").mkdir()
    (tmp_path / "version" / "letters.txt").write_text("dear")
    with pytest.raises(InvalidInput, match="does not hold a model version"):
        run_averaging(Settings(home=tmp_path), AverageConfig(("a", "b")), tmp_path)
    assert (tmp_path / "version" / "letters.txt").is_file()


def test_a_recipe_that_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidInput, match="must be one of greedy, uniform") as caught:
        AverageConfig(("a", "b"), recipe="best")
    assert caught.value.field == "recipe"
