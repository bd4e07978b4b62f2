"""Each version on trial, and the one that answers in its place, reads a text as its own normaliser leaves it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sentiment.records import RawText
from sentiment.text import NORMALIZERS
from serve_app.routing.router import Preference
from serve_app.routing.traffic_table import TrafficTable
from tests.unit.gateway.fake_parts import ROUTE, TRIAL, FakeParts, canary_of, mirrored, service_of


@pytest.fixture
def parts() -> FakeParts:
    return FakeParts()


async def test_a_version_in_the_shadow_reads_a_text_as_its_own_normaliser_leaves_it(parts, monkeypatch):
    monkeypatch.setitem(NORMALIZERS, "3", lambda text: NORMALIZERS["1"](text) + " meh")
    champion, challenger = canary_of(0.0, shadow=1.0).routes
    service = service_of(
        parts, replace(canary_of(0.0), routes=(champion, replace(challenger, normalizer="3", shadow=1.0)))
    )
    await service.predict([RawText("hello  @me")])
    await mirrored(service, 1)
    assert parts.classified == [["hello @user"], ["hello @user meh"]]


async def test_each_version_reads_a_text_as_its_own_normaliser_leaves_it(parts, monkeypatch):
    monkeypatch.setitem(NORMALIZERS, "3", lambda text: NORMALIZERS["1"](text).upper())
    both = (ROUTE, replace(TRIAL, normalizer="3", weight=0.0))
    service = service_of(parts, TrafficTable(1, both, split={"b": 4}))
    await service.predict([RawText("love  @me", id="n-1")], preference=Preference(split="b"))
    await service.predict([RawText("hate  @me")])
    await service.predict([RawText("so  so")], preference=Preference(version=4))
    assert parts.classified == [["LOVE @USER"], ["hate @user"], ["SO SO"]]
    assert parts.store.get("n-1").text == "love @user"  # kept as the current normaliser leaves it


async def test_a_version_that_stands_in_reads_a_text_as_its_own_normaliser_leaves_it(parts, monkeypatch):
    monkeypatch.setitem(NORMALIZERS, "3", lambda text: NORMALIZERS["1"](text) + " venom")
    service = service_of(parts, TrafficTable(1, (ROUTE, replace(TRIAL, normalizer="3", weight=0.0)), split={"b": 4}))
    [answer] = await service.predict([RawText("love  it")], preference=Preference(split="b"))
    assert answer.version == 3
    assert parts.classified == [["love it venom"], ["love it"]]


@pytest.mark.parametrize("share", [0.9, 1.0])
async def test_a_champion_reads_what_a_challenger_with_more_traffic_fails_on_as_its_own_normaliser_leaves_it(
    parts, monkeypatch, share
):
    monkeypatch.setitem(NORMALIZERS, "3", lambda text: NORMALIZERS["1"](text) + " venom")
    champion, challenger = canary_of(share).routes
    table = replace(canary_of(share), routes=(champion, replace(challenger, normalizer="3")))
    [answer] = await service_of(parts, table, draw=lambda: 0.5).predict([RawText("love  it")])
    assert answer.version == 3
    assert parts.classified == [["love it venom"], ["love it"]]
