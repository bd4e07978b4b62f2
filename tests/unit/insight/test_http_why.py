"""Why a tone moved, over HTTP."""

from __future__ import annotations

import pytest

WHY = "/v1/insights/why?before=2026-03-27/2026-03-29&after=2026-03-29/2026-04-03"


async def test_why_splits_a_change_exactly_and_names_what_drove_it(client):
    told = (await client.get(f"{WHY}&q=flood")).json()
    assert (told["before"]["count"], told["before"]["sentiment"]) == (2, 0.05)
    assert (told["after"]["count"], told["after"]["sentiment"]) == (1, -0.6)
    assert sum(told["parts"].values()) == pytest.approx(told["change"], abs=1e-9)
    assert told["tone_change"] == pytest.approx(-0.65)
    assert {driver["topic"] for driver in told["drivers"]} == {"climate", None}
    climate = next(driver for driver in told["drivers"] if driver["topic"] == "climate")
    assert (climate["count_before"], climate["count_after"], climate["sentiment_before"]) == (1, 1, -0.8)
    assert [text["id"] for text in climate["texts"]] == ["d"]
    assert "may be chance" in told["sentence"]


async def test_an_empty_span_gets_no_verdict(client):
    answer = await client.get("/v1/insights/why?q=tea&before=2026-03-27/2026-03-28&after=2026-03-28/2026-04-03")
    told = answer.json()
    assert (answer.status_code, told["change"], told["parts"], told["drivers"]) == (200, None, None, [])
    assert told["sentence"] == "There is no labelled text in the first span."


@pytest.mark.parametrize(
    ("query", "field", "part"),
    [
        ("before=2026-03-27&after=2026-03-28/2026-03-29", "before", "FROM/TO"),
        ("before=2026-03-27/x&after=2026-03-28/2026-03-29", "before", "not a time"),
        ("before=2026-03-27/2026-03-28&after=2026-03-29/2026-03-28", "after", "ends before it has begun"),
        ("before=2026-03-27/2026-03-28&after=2027-03-29/2027-03-30", "after", "lies in the future"),
        ("before=2026-03-27/2026-03-28", "after", "missing"),
        ("before=2026-03-27/2026-03-28&after=2026-03-29/2026-03-30&by=author", "by", "topic"),
    ],
)
async def test_a_wrong_span_of_why_is_named(client, query, field, part):
    answer = await client.get(f"/v1/insights/why?{query}")
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == field
    assert part in answer.json()["error"]["message"]
