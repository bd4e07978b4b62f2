"""A class that stands in validation only: pushes, trainings, searches and comparisons say so before they begin."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="training needs the train extra")

from cli.main import app
from sentiment.datasets import Example
from sentiment.datasets.balance import missing_classes
from sentiment.datasets.split import parse_split
from sentiment.labels import THREE_CLASSES
from sentiment.settings import Settings, load_settings
from sentiment.training.config import DistillConfig, TrainConfig
from tests.tiny_training import TINY, examples
from train_jobs.compare.plan import CompareConfig, plan_of
from train_jobs.train.class_balance import missing_training_classes, warn_of_missing_classes
from train_jobs.train.job import _checked_needs
from train_jobs.train.prepare import RunLocations, held_out_texts
from train_jobs.train.request import Job

TWO = [example for example in examples() if example.label != "neutral"]
RARE = [Example("the train leaves at ten", "neutral")]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path, datasets=str(tmp_path / "sets"))


@pytest.fixture
def places(settings: Settings) -> RunLocations:
    places = RunLocations.of(settings)
    places.store.push("toys", examples(), source="tests")
    places.store.push("two", TWO, source="tests", labels=THREE_CLASSES)
    places.store.push("rare", [*TWO, *RARE * 6], source="tests")
    return places


def held_out_seed(places: RunLocations) -> TrainConfig:
    """Return a run whose seed holds the rare class out."""
    runs = (replace(TINY, data="rare@1", seed=seed, validation_share=0.3) for seed in range(100))
    return next(run for run in runs if "neutral" in {label for _, label in held_out_texts(run, places)})


def test_a_class_that_stands_in_the_validation_data_only_is_told(places: RunLocations) -> None:
    (warning,) = missing_training_classes(replace(TINY, data="two@1", validation="toys@1"), places)
    assert warning.startswith(
        "No text of two@1 that is trained on is neutral; all of them are elsewhere (30 in toys@1)"
    )
    assert missing_training_classes(replace(TINY, validation="two@1"), places) == []


def test_a_class_that_a_draw_holds_out_as_a_whole_is_told_with_the_number_of_its_texts(places: RunLocations) -> None:
    run = held_out_seed(places)
    (warning,) = missing_training_classes(run, places)
    assert "is neutral; all of them are elsewhere (6 in the texts held out for validation)" in warning
    assert "split with another seed" in warning


def test_nothing_is_told_where_every_class_is_trained_on(places: RunLocations) -> None:
    assert missing_training_classes(TINY, places) == []
    seeds = [replace(TINY, data="rare@1", seed=seed) for seed in range(20)]
    trained = [run for run in seeds if "neutral" not in {label for _, label in held_out_texts(run, places)}]
    assert trained
    assert [missing_training_classes(run, places) for run in trained] == [[]] * len(trained)


def test_a_class_that_the_most_rows_leave_out_is_told(places: RunLocations) -> None:
    runs = [replace(TINY, data="rare@1", validation="toys@1", most_rows=8, seed=seed) for seed in range(5)]
    told = [missing_training_classes(run, places) for run in runs]
    assert any("(30 in toys@1)" in "".join(warnings) for warnings in told)


def test_a_class_that_no_text_has_is_told(places: RunLocations) -> None:
    (warning,) = missing_training_classes(replace(TINY, data="two@1"), places)
    assert "is neutral; nor is one held out" in warning


def test_data_with_many_texts_of_each_class_are_not_read_for_it(
    places: RunLocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train_jobs.train.class_balance._MANY_TEXTS", 29)
    monkeypatch.setattr("train_jobs.train.class_balance.split_labels", lambda *_: pytest.fail("the data were read"))
    assert missing_training_classes(TINY, places) == []


def warnings_in(caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    return (record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)


def test_a_training_and_a_distillation_warn_before_anything_is_started(
    settings: Settings, places: RunLocations, caplog: pytest.LogCaptureFixture
) -> None:
    run = replace(TINY, model="cnn", data="two@1", validation="toys@1")
    for config in (run, replace(run, distill=DistillConfig("models:/sentiment/7"))):
        caplog.clear()
        _checked_needs(Job(config), "a-run", settings, None)
        assert [warning[:45] for warning in warnings_in(caplog)] == ["No text of two@1 that is trained on is neutra"]


def test_a_search_warns_once_for_all_its_trials(places: RunLocations, caplog: pytest.LogCaptureFixture) -> None:
    run = replace(TINY, data="two@1", validation="toys@1")
    warn_of_missing_classes([run, replace(run, learning_rate=0.1), replace(run, seed=9)], places)
    assert len(list(warnings_in(caplog))) == 1


def test_a_comparison_warns_of_a_class_in_validation_and_test_only(
    settings: Settings, places: RunLocations, caplog: pytest.LogCaptureFixture
) -> None:
    plan_of(settings, CompareConfig("two@1", models=("cnn",), validation="toys@1", test="rare@1"))
    (warning,) = warnings_in(caplog)
    assert "elsewhere (30 in toys@1 and 6 in rare@1)" in warning


def test_a_push_that_splits_tells_of_a_class_that_its_training_part_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERTONE_DATASETS", str(tmp_path / "sets"))
    seed = next(each for each in range(100) if parse_split("0.6,0.4", each).part_of(RARE[0].text) == "validation")
    rows = [{"text": example.text, "label": example.label} for example in (*TWO, *RARE * 3)]
    (tmp_path / "toys.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["data", "push", str(tmp_path / "toys.jsonl"), "--name", "toys", "--split", "0.6,0.4", "--seed"]
    sentence = (
        "No text of toys-train@1 that is trained on is neutral; all of them are elsewhere (3 in toys-validation@1)"
    )
    assert sentence in CliRunner().invoke(app, [*arguments, str(seed)]).stdout
    told = json.loads(CliRunner().invoke(app, [*arguments, str(seed), "--json"]).stdout)
    assert [warning.partition(":")[0] for warning in told["warnings"]] == [sentence]


def test_parts_that_lack_nothing_are_not_named() -> None:
    assert missing_classes(("a", "b"), {"a": 1, "b": 2}, {"other": {"b": 1}}, "train") == []
