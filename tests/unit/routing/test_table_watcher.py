from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, replace

import pytest

from sentiment.errors import StoreUnavailable, Unavailable
from sentiment.records import Document
from serve_app.routing.table_watcher import TrafficWatch
from serve_app.routing.traffic_table import KIND, TrafficTable, from_body, to_body
from tests.unit.gateway.fake_parts import ROUTE

V4 = replace(ROUTE, version=4, app="classifier-v4", weight=0.25)
TABLE = TrafficTable(7, (replace(ROUTE, weight=0.75), V4))


def test_a_table_survives_the_store():
    assert from_body(7, to_body(TABLE.routes)) == TABLE


def test_a_table_of_a_rollout_survives_the_store():
    shadowed = TrafficTable(8, (ROUTE, replace(V4, weight=0.0, shadow=0.2)), "r-1", 2, "author", {"b": 4}, (3, 4))
    body = to_body(shadowed.routes, rollout="r-1", stage=2, sticky="author", split={"b": 4}, sides=(3, 4))
    assert from_body(8, json.loads(json.dumps(body))) == shadowed


def test_a_row_of_an_earlier_release_is_read_with_the_defaults():
    row = {name: value for name, value in asdict(ROUTE).items() if name != "shadow"}
    assert from_body(7, {"routes": [row]}) == TrafficTable(7, (ROUTE,))


def test_only_a_rollout_of_which_both_sides_are_loaded_has_rivals():
    assert TABLE.rivals is None
    assert replace(TABLE, sides=(3, 4), routes=(ROUTE,)).rivals is None
    assert replace(TABLE, sides=(3, 4)).rivals == TABLE.routes


def test_a_version_of_the_fixed_split_is_no_rival_of_one_that_was_swapped_in():
    of_split = replace(ROUTE, version=9, app="classifier-v9", weight=0.0)
    swapped = TrafficTable(8, (replace(V4, weight=1.0), of_split), "r-1", 5, split={"b": 9}, sides=(3, 4))
    assert swapped.rivals is None
    assert (swapped.trusted.version, swapped.stand_in) == (4, None)


@pytest.mark.parametrize(("weight", "trusted", "stand_in"), [(0.0, 3, None), (0.9, 3, None), (1.0, 4, 3)])
def test_a_champion_is_trusted_while_it_has_traffic_and_then_stands_in(weight, trusted, stand_in):
    table = TrafficTable(8, (replace(ROUTE, weight=1 - weight), replace(V4, weight=weight)), "r-1", 2, sides=(3, 4))
    assert table.trusted.version == trusted
    assert (table.stand_in.version if table.stand_in else None) == stand_in


def test_a_point_that_went_over_stays_while_the_weight_grows():
    points = [point / 100 for point in range(100)]
    over: set[float] = set()
    for weight in (0.01, 0.1, 0.5, 1.0):
        table = TrafficTable(1, (replace(ROUTE, weight=1 - weight), replace(V4, weight=weight)))
        now = {point for point in points if table.choose(point).version == 4}
        assert over <= now
        over = now
    assert len(over) == 100


def test_points_are_shared_by_weight():
    versions = [TABLE.choose(point / 1000).version for point in range(1000)]
    assert versions.count(4) == 250


def test_a_version_without_weight_gets_nothing():
    table = TrafficTable(1, (ROUTE, replace(V4, weight=0.0)))
    assert {table.choose(point / 100).version for point in range(100)} == {3}


class Rows:
    def __init__(self) -> None:
        self.row: Document | None = None
        self.away = False

    def __call__(self) -> Document | None:
        if self.away:
            raise StoreUnavailable("away")
        return self.row

    def put(self, generation: int, table: TrafficTable) -> None:
        self.row = Document(KIND, "sentiment", generation, to_body(table.routes))


@pytest.fixture
def rows() -> Rows:
    return Rows()


async def test_a_newer_table_is_adopted_only_after_its_versions_have_answered(rows):
    opened = []

    async def open_route(route):
        opened.append(route.version)

    watch = TrafficWatch(rows, open_route)
    assert not await watch.refresh()
    rows.put(1, TrafficTable(1, (ROUTE,)))
    assert await watch.refresh()
    rows.put(2, TABLE)
    await watch.refresh()
    assert watch.table == replace(TABLE, generation=2)
    assert opened == [3, 4]


async def test_a_version_that_does_not_answer_leaves_the_old_table_in_force(rows):
    async def open_route(route):
        if route.version == 4:
            raise Unavailable("no answer")

    watch = TrafficWatch(rows, open_route)
    rows.put(1, TrafficTable(1, (ROUTE,)))
    await watch.refresh()
    rows.put(2, TABLE)
    assert await watch.refresh()
    assert watch.generation == 1


async def test_a_version_without_traffic_hinders_no_table(rows):
    async def open_route(route):
        if route.version == 4:
            raise Unavailable("no answer")

    watch = TrafficWatch(rows, open_route)
    rows.put(1, TrafficTable(1, (ROUTE, replace(V4, weight=0.0))))
    assert await watch.refresh()
    await asyncio.sleep(0)
    assert [route.version for route in watch.table.routes] == [3, 4]


async def test_going_back_from_a_version_that_hangs_is_done_at_once(rows):
    opened = []

    async def open_route(route):
        opened.append(route.version)
        await asyncio.sleep(30 if opened.count(4) > 1 else 0)

    watch = TrafficWatch(rows, open_route)
    await watch.adopt(TABLE)
    async with asyncio.timeout(1):
        await watch.adopt(TrafficTable(8, (ROUTE, replace(V4, weight=0.0))))
    assert watch.table.generation == 8


async def test_a_version_that_never_answers_holds_up_no_other_table(rows):
    async def open_route(route):
        await asyncio.sleep(30 if route.version == 4 else 0)

    watch = TrafficWatch(rows, open_route, patience_s=0.05)
    await watch.adopt(TrafficTable(1, (ROUTE,)))
    with pytest.raises(Unavailable, match=r"version 4 did not answer within 0\.05 s"):
        await watch.adopt(TABLE)
    async with asyncio.timeout(1):
        await watch.adopt(TrafficTable(8, (ROUTE,)))
    assert watch.table.generation == 8


async def test_a_version_without_traffic_is_opened_before_it_gets_any(rows):
    opened = []

    async def open_route(route):
        opened.append(route.version)

    watch = TrafficWatch(rows, open_route)
    await watch.adopt(TrafficTable(1, (ROUTE, replace(V4, weight=0.0))))
    await asyncio.sleep(0)
    await watch.adopt(TABLE)
    assert opened == [3, 4]


async def test_a_new_gateway_begins_without_a_version_on_trial_that_fails_and_takes_it_when_it_works(rows):
    works = []

    async def open_route(route):
        if route.version == 4 and not works:
            raise Unavailable("no answer")

    watch = TrafficWatch(rows, open_route)
    rows.put(1, TABLE)
    assert await watch.refresh()
    assert [(route.version, route.weight) for route in watch.table.routes] == [(3, 0.75), (4, 0.0)]
    works.append(True)
    await watch.refresh()
    assert watch.table == replace(TABLE, generation=1)


async def test_a_new_gateway_does_not_begin_without_the_version_that_leads(rows):
    async def open_route(route):
        if route.version == 3:
            raise Unavailable("no answer")

    watch = TrafficWatch(rows, open_route)
    rows.put(1, TABLE)
    assert not await watch.refresh()


async def test_the_last_table_stays_while_the_store_is_away(rows):
    async def open_route(route):
        pass

    watch = TrafficWatch(rows, open_route)
    rows.put(1, TABLE)
    await watch.refresh()
    rows.away = True
    assert await watch.refresh()
    assert watch.table.generation == 1


async def test_an_older_push_changes_nothing(rows):
    async def open_route(route):
        pass

    watch = TrafficWatch(rows, open_route)
    await asyncio.gather(watch.adopt(replace(TABLE, generation=5)), watch.adopt(replace(TABLE, generation=4)))
    assert watch.table.generation == 5
