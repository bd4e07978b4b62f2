from __future__ import annotations

from sentiment.settings import Settings
from serve_app.rollout.version_routes import VersionRoutes
from serve_app.routing.traffic_table import KIND, Route, TrafficTable
from tests.unit.rollout.rollouts import LABELS

MODEL = "sentiment"
ROUTE = Route(MODEL, 1, "classifier-v1", "digest-1", LABELS, "1", 1.0)


def trained_with_another(platform, normalizer: str) -> None:
    """Let the serving version be one that was trained with another normaliser."""
    document = platform.store.get_document(KIND, MODEL)
    [route] = document.body["routes"]
    platform.store.put_document(KIND, MODEL, {**document.body, "routes": [{**route, "normalizer": normalizer}]})


async def test_a_version_that_reads_texts_otherwise_takes_over_as_any_other(platform):
    trained_with_another(platform, "0")
    platform.start()
    await platform.until("done")
    assert platform.gateways.weights()[-1][2] == 1.0


async def test_swapped_in_place_it_is_not_compared_and_may_read_texts_otherwise(platform):
    trained_with_another(platform, "0")
    platform.target.lack = "version 2 needs 1 GPU, 0 are free"
    platform.start(in_place=True)
    await platform.until("done")
    assert platform.gateways.weights()[-1] == {2: 1.0}


def test_a_version_in_the_table_needs_neither_the_registry_nor_its_files():
    table = TrafficTable(1, (ROUTE,))
    routes = VersionRoutes(Settings(), registry=None)
    assert routes.of(1, table, []) == ROUTE
    assert routes.digest(1, table, []) == "digest-1"
