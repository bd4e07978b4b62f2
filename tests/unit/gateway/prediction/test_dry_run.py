"""The probe and explanations: of the version that answers predictions, and of the champion where that one is away."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from sentiment.errors import Unavailable
from sentiment.text import NORMALIZERS
from serve_app.routing.router import Preference
from serve_app.routing.traffic_table import TrafficTable
from tests.unit.gateway.fake_parts import FakeParts, canary_of, client_of, service_of


@pytest.fixture
def parts() -> FakeParts:
    return FakeParts()


async def test_a_probe_asks_the_version_that_leads(parts):
    service = service_of(parts, canary_of(0.4), draw=lambda: 0.9)
    assert (await service.probe("love")).version == 3
    assert (await service_of(parts, canary_of(1.0)).probe("love")).version == 4


async def test_an_explanation_is_the_leading_versions_or_the_pinned_ones(parts):
    service = service_of(parts, canary_of(0.4), draw=lambda: 0.9)
    assert (await service.explain("love")).version == 3
    assert (await service.explain("love", Preference(version=4))).version == 4
    assert (await service_of(parts, canary_of(1.0)).explain("love")).version == 4


async def test_while_a_challenger_with_all_the_traffic_is_away_the_champion_answers_probes_and_explanations(parts):
    service = service_of(parts, canary_of(1.0))
    parts.trial_gone = True
    assert (await service.probe("love")).version == 3
    assert (await service.explain("love")).version == 3


async def test_a_challenger_that_hangs_holds_up_probes_and_explanations_no_longer_than_predictions(parts):
    service = service_of(parts, canary_of(1.0), failover_s=0.05)
    parts.trial_delay_s = 30.0
    started = time.monotonic()
    assert (await service.probe("love")).version == 3
    assert (await service.explain("love " * 10)).version == 3
    assert time.monotonic() - started < 5


async def test_what_the_challenger_alone_cannot_explain_the_champion_does(parts):
    explain = parts.explain

    async def explains(route, text):
        if route.version == 4:
            raise Unavailable("the classifier failed")
        return await explain(route, text)

    parts.explain = explains
    assert (await service_of(parts, canary_of(1.0)).explain("love")).version == 3


async def test_an_explanation_by_a_version_that_is_pinned_fails_with_it(parts):
    service = service_of(parts, canary_of(1.0))
    parts.trial_gone = True
    with pytest.raises(Unavailable):
        await service.explain("love", Preference(version=4))


async def test_a_version_that_no_champion_stands_in_for_is_given_the_time_it_takes(parts):
    alone = TrafficTable(1, canary_of(1.0).routes[1:], "r-1", 1, sides=(3, 4))
    service = service_of(parts, alone, failover_s=0.01)
    parts.trial_delay_s = 0.1
    assert (await service.probe("love")).version == 4
    parts.trial_gone = True
    with pytest.raises(Unavailable):
        await service.explain("love")


@pytest.mark.parametrize("place", ["/v1/explain", "/v1/explain?model=4"])
@pytest.mark.parametrize(("settings", "headers"), [({"deadline_ms": 50}, {}), ({}, {"X-Deadline-Ms": "50"})])
async def test_an_explanation_has_the_deadline_of_a_prediction_and_gives_its_place_to_the_next(
    parts, place, settings, headers
):
    explain = parts.explain

    async def never_ends(route, text):
        await asyncio.Event().wait()

    async with client_of(parts, backend_options={"table": canary_of(1.0)}, **settings) as client:
        parts.explain = never_ends
        late = [client.post(place, json={"text": "love"}, headers=headers) for _ in range(2)]
        for answer in await asyncio.gather(*late):
            assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
        parts.explain = explain
        assert (await client.post(place, json={"text": "love"})).status_code == 200


async def test_the_platform_is_ready_as_long_as_one_of_both_versions_answers(parts):
    async with client_of(parts, backend_options={"table": canary_of(1.0)}) as client:
        parts.trial_gone = True
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["parts"]["model"]) == (200, "ok")
        assert (await client.post("/v1/explain", json={"text": "love"})).json()["model"]["version"] == 3
        parts.broken = True
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (503, False)


async def test_each_version_reads_what_its_own_normaliser_leaves(parts, monkeypatch):
    monkeypatch.setitem(NORMALIZERS, "3", lambda text: NORMALIZERS["1"](text) + " venom")
    champion, challenger = canary_of(1.0).routes
    table = replace(canary_of(1.0), routes=(champion, replace(challenger, normalizer="3")))
    assert (await service_of(parts, table).probe("love")).version == 3
    assert parts.classified == [["love venom"], ["love"]]
