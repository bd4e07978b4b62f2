"""Which points a search tries: a grid has each once, and nothing that is drawn is drawn twice."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from sentiment.errors import InvalidInput
from tune.options import SearchOptions
from tune.plan import HyperparameterSearch, check, default_method
from tune.search import search_of
from tune.space import Point, parse_space

CHOICES = {"learning_rate": {"choice": [0.1, 0.01]}, "epochs": {"choice": [1, 2, 3]}}
WHOLE = {"learning_rate": {"choice": [0.1, 0.01]}, "epochs": {"int": [1, 3]}}
RANGES = {"learning_rate": {"loguniform": [1e-5, 1e-2]}, "warm_up": {"uniform": [0, 0.2]}, "epochs": {"int": [1, 3]}}


def search(
    space: dict[str, Any], method: str | None = None, trials: int | None = None, seed: int = 42
) -> HyperparameterSearch:
    drawn = {"search": method, "trials": trials, "seed": seed}
    return search_of(SearchOptions(space=json.dumps({"space": space}), data="toys@1", model="cnn", **drawn))


def keys(points: list[Point]) -> set[tuple[Any, ...]]:
    return {tuple(point.values()) for point in points}


def test_a_grid_has_every_point_once_the_last_field_moving_fastest() -> None:
    points = search(WHOLE, "grid").points
    assert len(points) == len(keys(points)) == 6
    assert points[:2] == [{"learning_rate": 0.1, "epochs": 1}, {"learning_rate": 0.1, "epochs": 2}]
    assert points[-1] == {"learning_rate": 0.01, "epochs": 3}


@pytest.mark.parametrize(
    ("space", "trials", "method"),
    [
        (CHOICES, None, "grid"),
        (CHOICES, 6, "grid"),
        (CHOICES, 20, "grid"),
        (CHOICES, 5, "random"),
        (WHOLE, None, "random"),
        (RANGES, 20, "random"),
    ],
)
def test_choices_that_the_trials_can_hold_are_a_grid_unless_it_is_said(
    space: dict[str, Any], trials: int | None, method: str
) -> None:
    assert default_method(parse_space({"space": space}), trials) == search(space, trials=trials).method == method


def test_a_grid_without_trials_has_more_than_the_ten_of_the_others() -> None:
    wide = {"seed": {"choice": list(range(1, 13))}, **CHOICES}
    assert search(wide).draws == len(keys(search(wide).points)) == 72


@pytest.mark.parametrize("method", ["grid", "random", "asha"])
@pytest.mark.parametrize("space", [CHOICES, WHOLE], ids=["choices", "whole numbers"])
def test_a_space_that_has_an_end_is_gone_through_once_however_many_trials_there_may_be(
    method: str, space: dict[str, Any]
) -> None:
    asked = search(space, method, trials=50)
    assert asked.draws == len(asked.points) == 6
    assert keys(asked.points) == keys(search(space, "grid").points)


@pytest.mark.parametrize("method", ["grid", "random", "asha"])
def test_fewer_trials_than_points_are_different_points_which_the_seed_draws(method: str) -> None:
    whole = keys(search(CHOICES, "grid").points)
    drawn = [search(CHOICES, method, trials=4, seed=seed).points for seed in range(20)]
    assert all(len(points) == len(keys(points)) == 4 and keys(points) < whole for points in drawn)
    assert len({frozenset(keys(points)) for points in drawn}) > 5
    assert search(CHOICES, method, trials=4, seed=3).points == drawn[3]


def test_points_of_ranges_lie_within_them_and_follow_the_seed() -> None:
    points = search(RANGES, "random", trials=200).points
    assert len(keys(points)) == 200
    assert all(1e-5 <= point["learning_rate"] <= 1e-2 for point in points)
    assert all(0 <= point["warm_up"] <= 0.2 and point["epochs"] in (1, 2, 3) for point in points)
    low = sum(math.log10(point["learning_rate"]) < -3.5 for point in points)
    assert 60 < low < 140  # even on a logarithmic scale
    assert search(RANGES, "random", trials=200).points == points
    assert search(RANGES, "random", trials=200, seed=7).points != points


def test_a_few_of_very_many_points_are_drawn_at_once() -> None:
    vast = {"seed": {"int": [0, 10**15]}, "epochs": {"int": [1, 1000]}}
    assert len(keys(search(vast, "random", trials=50).points)) == 50
    assert len(keys(search(vast, "grid", trials=50).points)) == 50


def test_more_trials_than_a_narrow_range_has_numbers_are_refused() -> None:
    narrow = {"learning_rate": {"uniform": [0.1, math.nextafter(0.1, 1)]}}
    with pytest.raises(InvalidInput, match="--trials is 5") as caught:
        search(narrow, "random", trials=5)
    assert caught.value.field == "trials"


@pytest.mark.parametrize(
    ("field", "values"),
    [("learning_rate", [0.001, 0.01, "1e-3"]), ("epochs", [2, "2"]), ("weight_decay", ["0.10", 0.1])],
)
def test_two_ways_to_write_one_value_are_refused_rather_than_trained_twice(field: str, values: list[Any]) -> None:
    with pytest.raises(InvalidInput, match="same training") as caught:
        search({field: {"choice": values}, "seed": {"choice": [1, 2]}})
    assert caught.value.field == field


def test_every_drawn_point_is_checked_before_the_first_trial() -> None:
    ranges = {"batch_rows": {"uniform": [16, 64]}}  # both ends are whole numbers, what lies between is not
    with pytest.raises(InvalidInput, match="batch_rows") as caught:
        search(ranges, "random", trials=3)
    assert caught.value.field == "batch_rows"


def test_optuna_has_no_points_before_it_runs_and_no_more_trials_than_the_space_has_points() -> None:
    asked = search(CHOICES, "optuna", trials=50)
    check(asked)
    assert (asked.points, asked.draws) == ([], 6)
