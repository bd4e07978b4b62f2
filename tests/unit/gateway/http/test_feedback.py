"""Feedback over HTTP: what a text should have been called, kept beside its answer."""

from __future__ import annotations

import pytest

from sentiment.records import Operation, Outcome
from tests.unit.gateway.fake_parts import FakeParts, client_of


@pytest.fixture
def parts() -> FakeParts:
    return FakeParts()


@pytest.fixture
async def client(parts: FakeParts):
    async with client_of(parts) as client:
        yield client


async def test_feedback_is_kept_and_shown_with_its_text(client):
    await client.post("/v1/predict", json={"text": "meh", "id": "f-1"})
    said = {"id": "f-1", "label": "negative", "source": "support team"}
    answer = await client.post("/v1/feedback", json=said)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in said} == said
    shown = (await client.get("/v1/texts/f-1")).json()
    assert shown["label"] == "neutral"
    assert shown["feedback"] == [{"source": "support team", "label": "negative", "at": answer.json()["at"]}]


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"id": "nowhere"}, 404, None),
        ({"id": "a b"}, 422, "id"),
        ({"label": "lovely"}, 422, "label"),
        ({"source": ""}, 422, "source"),
        ({"source": None}, 422, "source"),
        ({"score": 1}, 422, "score"),
    ],
)
async def test_feedback_that_is_wrong_is_refused(client, change, status, field):
    await client.post("/v1/predict", json={"text": "meh", "id": "f-1"})
    said = {"id": "f-1", "label": "negative", "source": "support team"} | change
    answer = await client.post("/v1/feedback", json=said)
    assert (answer.status_code, answer.json()["error"]["field"]) == (status, field)


async def test_feedback_that_was_not_kept_is_not_acknowledged(client, parts):
    async def away(operations: list[Operation]) -> list[Outcome]:
        return [Outcome.UNAVAILABLE] * len(operations)

    parts.write = away
    answer = await client.post("/v1/feedback", json={"id": "f-1", "label": "negative", "source": "team"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")


async def test_feedback_on_many_texts_is_answered_in_order_and_a_bad_item_in_its_place(client, parts):
    for name in ("f-1", "f-2"):
        await client.post("/v1/predict", json={"text": "meh", "id": name})
    said = {"label": "negative", "source": "team"}
    items = [
        {"id": "f-1", **said},
        {"id": "nowhere", **said},
        {"id": "f-2", "label": "lovely"},
        7,
        {"id": "f-2", **said},
    ]
    answer = await client.post("/v1/feedback/batch", json={"items": items})
    first, lost, wrong, none, last = answer.json()["results"]
    assert (first["id"], first["label"], last["id"]) == ("f-1", "negative", "f-2")
    assert (lost["id"], lost["error"]["code"]) == ("nowhere", "not_found")
    assert (wrong["error"]["field"], none["error"]["field"]) == ("items.2.label", "items.3")
    assert [word.label for name in ("f-1", "f-2") for word in parts.store.get(name).feedback] == [
        "negative",
        "negative",
    ]


@pytest.mark.parametrize("items", [[], [{"id": "f-1", "label": "negative", "source": "team"}] * 1001])
async def test_a_batch_of_feedback_has_a_size(client, items):
    answer = await client.post("/v1/feedback/batch", json={"items": items})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "items")


async def test_a_batch_of_feedback_that_was_not_kept_says_so_in_each_place(client, parts):
    async def away(operations: list[Operation]) -> list[Outcome]:
        return [Outcome.UNAVAILABLE] * len(operations)

    parts.write = away
    items = [{"id": "f-1", "label": "negative", "source": "team"}]
    [result] = (await client.post("/v1/feedback/batch", json={"items": items})).json()["results"]
    assert result["error"]["code"] == "unavailable"
