"""References in a search: what may move while it lasts is fixed for all its trials, and nothing is tried twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from sentiment.datasets import open_datasets
from sentiment.errors import InvalidInput
from sentiment.settings import Settings
from tests.tiny_training import examples
from train_jobs.train import prepare
from train_jobs.train.prepare import RunLocations
from tune.plan import HyperparameterSearch
from tune.references import with_fixed_references
from tune.space import parse_space

SPACE = {"space": {"learning_rate": {"choice": [0.1, 0.01]}, "epochs": {"int": [1, 3]}}}


def search(**changes: Any) -> HyperparameterSearch:
    facts = {"name": "s", "base": {"data": "toys@1", "model": "cnn"}, "space": parse_space(SPACE), "method": "grid"}
    return HyperparameterSearch(**{**facts, **changes})


def test_what_may_move_while_a_search_lasts_is_fixed_for_all_its_trials(tmp_path, monkeypatch):
    settings = Settings(home=tmp_path)
    for count in (30, 60):
        open_datasets(settings).push("toys", examples(count), source="tests")
    monkeypatch.setattr(prepare, "Registry", lambda uri: None)
    monkeypatch.setattr(prepare, "find_version", lambda registry, ref: SimpleNamespace(version=7))
    base = {"data": "toys@latest", "validation": "toys@1", "model": "student", "distill": {"teacher": "champion"}}
    space = parse_space({"space": {"distill.teacher": {"choice": ["champion", "8"]}, "epochs": {"int": [1, 3]}}})
    found = with_fixed_references(search(base=base, space=space), RunLocations.of(settings))
    assert (found.base["data"], found.base["validation"]) == ("toys@2", "toys@1")
    assert found.base["distill"] == {"teacher": "models:/sentiment/7"}
    assert [each.values for each in found.space.dimensions] == [("models:/sentiment/7", "8"), (1, 3)]
    assert with_fixed_references(search(), RunLocations.of(settings)).base == {"data": "toys@1", "model": "cnn"}


def test_folders_and_files_of_a_search_are_named_by_their_whole_paths(tmp_path, monkeypatch):
    settings = Settings(home=tmp_path)
    open_datasets(settings).push("toys", examples(30), source="tests")
    (tmp_path / "mean").mkdir()
    (tmp_path / "more.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    base = {"data": "toys@1", "model": "student", "distill": {"teacher": "mean", "unlabelled": "more.jsonl"}}
    space = parse_space({"space": {"backbone": {"choice": ["mean", "owner/name", None]}}})
    found = with_fixed_references(search(base=base, space=space), RunLocations.of(settings))
    assert found.base["distill"] == {"teacher": str(tmp_path / "mean"), "unlabelled": str(tmp_path / "more.jsonl")}
    assert found.space.dimensions[0].values == (str(tmp_path / "mean"), "owner/name", None)


@pytest.mark.parametrize("field", ["data", "validation", "backbone"])
def test_two_names_of_one_thing_are_refused_rather_than_trained_on_twice(field, tmp_path, monkeypatch):
    settings = Settings(home=tmp_path)
    open_datasets(settings).push("toys", examples(30), source="tests")
    (tmp_path / "mean").mkdir()
    monkeypatch.chdir(tmp_path)
    values = ["mean", str(tmp_path / "mean")] if field == "backbone" else ["toys@1", "toys@latest"]
    with pytest.raises(InvalidInput, match="are the same") as caught:
        with_fixed_references(
            search(space=parse_space({"space": {field: {"choice": values}}})), RunLocations.of(settings)
        )
    assert caught.value.field == field


def test_a_search_may_vary_between_no_validation_data_and_some(tmp_path):
    settings = Settings(home=tmp_path)
    open_datasets(settings).push("toys", examples(30), source="tests")
    space = parse_space(yaml.safe_load("space: {validation: {choice: [null, toys@latest]}}"))
    (dimension,) = with_fixed_references(search(space=space), RunLocations.of(settings)).space.dimensions
    assert dimension.values == (None, "toys@1")
