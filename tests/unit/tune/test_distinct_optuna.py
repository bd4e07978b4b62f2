"""Optuna as a search uses it: however sure its model is of the best point, it tries no point twice."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

ray_tune = pytest.importorskip("ray.tune", reason="searching needs the train extra")
pytest.importorskip("torch", reason="searching needs the train extra")

from tune.distinct_optuna import DistinctOptuna  # noqa: E402
from tune.space import Space, parse_space  # noqa: E402
from tune.trials import _domain  # noqa: E402

CHOICES = {"overrides.dropout": {"choice": [None, 0.1, 0.5]}, "epochs": {"int": [1, 4]}}
RANGES = {"learning_rate": {"loguniform": [1e-5, 1e-2]}, "optimizer": {"choice": ["adamw", "sgd"]}}


def optuna(space: Space, seed: int = 42) -> DistinctOptuna:
    found = DistinctOptuna(space, seed)
    found.set_search_properties("score", "max", {each.field: _domain(each) for each in space.dimensions})
    return found


def points(searcher: DistinctOptuna, count: int, first: int = 0) -> list[dict[str, Any]]:
    found = []
    for number in range(first, first + count):
        found.append(searcher.suggest(f"t{number}"))
        score = 0.9 if found[-1].get("epochs", 1) == 2 else 0.1
        searcher.on_trial_result(f"t{number}", {"score": score, "training_iteration": 1})
        searcher.on_trial_complete(f"t{number}", {"score": score})
    return found


def keys(found: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    return {tuple(point.values()) for point in found}


@pytest.mark.parametrize("seed", range(4))
def test_every_point_of_a_small_space_is_tried_once(seed: int) -> None:
    space = parse_space({"space": CHOICES})
    found = points(optuna(space, seed), 12)
    assert len(keys(found)) == 12 == space.size


def test_a_search_that_is_taken_up_remembers_what_was_tried(tmp_path: Path) -> None:
    space = parse_space({"space": CHOICES})
    searcher = optuna(space)
    before = points(searcher, 7)
    searcher.save(str(tmp_path / "state"))
    again = pickle.loads(pickle.dumps(DistinctOptuna(space, 42)))
    again.restore(str(tmp_path / "state"))
    assert len(keys([*before, *points(again, 5, first=7)])) == 12


def test_ranges_are_searched_as_optuna_does() -> None:
    space = parse_space({"space": RANGES})
    found = points(optuna(space), 15)
    assert len(keys(found)) == 15
    assert all(1e-5 <= point["learning_rate"] <= 1e-2 for point in found)
    assert keys(points(optuna(space), 15)) == keys(found)
