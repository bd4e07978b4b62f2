from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from sentiment.errors import InvalidInput, NotFound
from serve_app.routing.router import NO_PREFERENCE, Preference, steer
from serve_app.routing.traffic_table import TrafficTable
from tests.unit.gateway.fake_parts import ROUTE, TRIAL


def table_of(weight: float, **fields: object) -> TrafficTable:
    routes = replace(ROUTE, weight=1 - weight), replace(TRIAL, weight=weight)
    return TrafficTable(1, routes, **({"rollout": "r-1", "stage": 1} | fields))


def version_of(table: TrafficTable, preference: Preference = NO_PREFERENCE, author: str | None = None) -> int:
    return (steer(table, preference, author) or table.choose(0.99)).version


def test_a_request_pins_a_version_that_is_loaded_whatever_its_weight():
    assert version_of(table_of(0.0), Preference(version=4)) == 4
    assert version_of(table_of(1.0), Preference(version=3, split="b", key="k")) == 3


def test_a_version_that_is_not_loaded_is_refused_and_the_loaded_ones_are_named():
    with pytest.raises(NotFound, match=r"version 9 is not loaded; choose one of 3, 4"):
        version_of(table_of(0.5), Preference(version=9))


def test_weights_decide_where_nothing_else_does():
    assert steer(table_of(0.01), NO_PREFERENCE, "author") is None
    assert version_of(table_of(0.01)) == 4  # 0.99 lies in the last hundredth
    assert version_of(table_of(0.0)) == 3


@pytest.mark.parametrize("sticky", ["author", "key"])
def test_a_client_goes_over_once_and_stays(sticky):
    def versions(weight: float) -> list[int]:
        table = table_of(weight, sticky=sticky)
        names = [f"client {number}" for number in range(200)]
        return [
            version_of(
                table, Preference(key=None if sticky == "author" else name), name if sticky == "author" else None
            )
            for name in names
        ]

    steps = [versions(weight) for weight in (0.0, 0.05, 0.3, 0.5, 1.0)]
    assert all(before <= after for one, other in pairwise(steps) for before, after in zip(one, other, strict=True))
    assert steps[2].count(4) == pytest.approx(60, abs=20)
    assert (steps[0].count(4), steps[-1].count(4)) == (0, 200)
    assert versions(0.3) == steps[2]


def test_another_rollout_begins_with_other_clients():
    names = [f"client {number}" for number in range(200)]
    first, second = (
        [version_of(table_of(0.3, sticky="author", rollout=rollout), author=name) for name in names]
        for rollout in ("r-1", "r-2")
    )
    assert first != second


def test_a_client_without_a_name_is_drawn_for():
    assert steer(table_of(0.01, sticky="author"), Preference(key="5f"), None) is None
    assert version_of(table_of(0.01, sticky="author")) == 4
    assert version_of(table_of(0.01, sticky="key")) == 4


def test_a_split_gives_its_values_a_version_and_leaves_others_to_the_weights():
    table = table_of(0.0, split={"a": 3, "b": 4, "5f": 4})
    assert version_of(table, Preference(split="a")) == 3
    assert version_of(table, Preference(split="b")) == 4
    assert version_of(table, Preference(key="5f")) == 4
    assert version_of(table, Preference(key="60")) == 3
    assert version_of(table) == 3


def test_a_value_that_the_split_has_not_is_refused():
    with pytest.raises(
        InvalidInput, match=r"X-Undertone-Split: .* is not a value of the fixed split; send one of a, b"
    ) as caught:
        version_of(table_of(0.0, split={"a": 3, "b": 4}), Preference(split="c"))
    assert caught.value.field == "X-Undertone-Split"


def test_a_value_is_ignored_where_there_is_no_split():
    assert version_of(table_of(0.0), Preference(split="b")) == 3


def test_a_split_to_a_version_that_has_left_falls_back_on_the_weights():
    assert version_of(table_of(0.0, split={"b": 9}), Preference(split="b")) == 3
