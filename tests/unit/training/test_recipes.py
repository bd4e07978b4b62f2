"""One table of recipes for all jobs: `train`, `compare` and a search learn a preset at the same rate."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from sentiment.datasets import open_datasets  # noqa: E402
from sentiment.models.presets import PRESETS  # noqa: E402
from sentiment.settings import load_settings  # noqa: E402
from sentiment.training.config import TrainConfig, from_mapping  # noqa: E402
from sentiment.training.fit import TrainingLoop  # noqa: E402
from sentiment.training.recipes import RECIPES, recipe_of  # noqa: E402
from tests.tiny_training import examples  # noqa: E402
from train_jobs.compare.plan import CompareConfig, plan_of  # noqa: E402
from train_jobs.shipped_model.latest_checkpoint import LatestCheckpoint  # noqa: E402
from train_jobs.train.prepare import RunLocations, prepare  # noqa: E402
from train_jobs.train.request import job_of  # noqa: E402
from train_jobs.train.training_options import TrainOptions  # noqa: E402

ENOUGH_RECALL = 0.9  # chance is a third; at a rate of 1e-4 it stays there on these texts
TEXTS = 150


def test_train_and_compare_take_the_same_rate_and_epochs_for_every_preset(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    open_datasets(settings).push("toys", examples(TEXTS), source="tests")
    names = tuple(name for name in PRESETS if name != "hub")
    compared = plan_of(settings, CompareConfig("toys@1", names)).jobs
    for name in names:
        trained = job_of("train", TrainOptions(data="toys@1", model=name)).config
        job = compared[name].config
        assert (trained.learning_rate, trained.epochs) == (job.learning_rate, job.epochs), name


def test_a_recipe_gives_way_to_what_is_asked_for_and_is_of_a_known_preset_only() -> None:
    assert set(RECIPES) <= set(PRESETS)
    assert from_mapping({"model": "cnn"}).learning_rate == 1e-3
    assert from_mapping({"model": "cnn", "learning_rate": 1e-4, "epochs": 2}).learning_rate == 1e-4
    assert from_mapping({"model": "minilm"}) == TrainConfig(model="minilm")
    assert recipe_of(["cnn"]) == recipe_of(None) == {}


@pytest.mark.parametrize("preset", ["cnn", "lstm"])
def test_networks_that_start_from_little_learn_far_above_chance_with_no_option_given(
    preset: str, tmp_path: Path
) -> None:
    settings = load_settings(home=tmp_path)
    open_datasets(settings).push("toys", examples(TEXTS), source="tests")
    given = {"model": preset, "data": "toys@1", "threads": 1, "window_tokens": 16, "dtype": "float32"}
    config = from_mapping(given)
    start, data = prepare(config, RunLocations.of(settings))
    progress = TrainingLoop(start, data, config, LatestCheckpoint(tmp_path / "kept")).run()
    assert progress.history[-1]["validation_macro_recall"] > ENOUGH_RECALL
