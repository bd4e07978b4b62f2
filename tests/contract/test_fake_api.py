"""The fake platform answers an ingest's requests as the gateway does: what is kept, refused, labelled and forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.fake_api import FakeApi
from tests.unit.gateway.fake_parts import FakeParts, client_of

Send = Callable[..., Awaitable[tuple[int, Any]]]
LONG = "x" * 50_001


@pytest.fixture(params=["fake", "gateway"])
async def send(request: pytest.FixtureRequest) -> AsyncIterator[Send]:
    """Give what sends a request, and returns its status and its JSON, None for an empty body."""
    if request.param == "fake":
        with httpx.Client(transport=httpx.WSGITransport(FakeApi()), base_url="http://127.0.0.1") as client:

            async def send(method: str, path: str, body: Any = None) -> tuple[int, Any]:
                return told(await asyncio.to_thread(client.request, method, path, json=body))

            yield send
    else:
        async with client_of(FakeParts(), max_text_characters=50_000, max_body_bytes=1_000_000) as real:

            async def send(method: str, path: str, body: Any = None) -> tuple[int, Any]:
                return told(await real.request(method, path, json=body))

            yield send


def told(response: httpx.Response) -> tuple[int, Any]:
    return response.status_code, response.json() if response.content else None


def codes_of(answer: tuple[int, Any]) -> list[str]:
    status, body = answer
    assert status == 200
    return [result["error"]["code"] if "error" in result else "ok" for result in body["results"]]


def item(id_: str, text: str, **others: Any) -> dict[str, Any]:
    return {"id": id_, "text": text, "source": "tweets", **others}


async def test_texts_are_kept_and_bad_ones_answered_in_their_place(send):
    told = {"created_at": "2009-05-11T03:17:40.000+00:00", "author": "ann", "topics": ["a"]}
    items = [item("t:1", "I love it", **told), item("t:2", ""), item("t:3", LONG), item("t:4", "a table")]
    answer = await send("POST", "/v1/predict/batch", {"items": items})
    assert codes_of(answer) == ["ok", "invalid_input", "invalid_input", "ok"]
    first = answer[1]["results"][0]
    assert (first["id"], first["label"]) == ("t:1", "positive")
    assert {"score", "sentiment", "verdict", "probabilities", "model", "truncated", "language", "supported"} <= set(
        first
    )


async def test_the_same_text_again_is_a_retry_and_another_one_under_its_id_a_conflict(send):
    for text, code in (("I love it", "ok"), ("I love it", "ok"), ("another", "conflict")):
        assert codes_of(await send("POST", "/v1/predict/batch", {"items": [item("t:1", text)]})) == [code]


async def test_labels_are_taken_for_texts_that_are_there(send):
    await send("POST", "/v1/predict/batch", {"items": [item("t:1", "I love it")]})
    words = [{"id": id_, "label": "positive", "source": "tweets"} for id_ in ("t:1", "t:2")]
    answer = await send("POST", "/v1/feedback/batch", {"items": words})
    assert codes_of(answer) == ["ok", "not_found"]
    assert answer[1]["results"][0] | {"at": ""} == {**words[0], "at": ""}


async def test_a_text_is_forgotten_once_and_may_come_again(send):
    await send("POST", "/v1/predict/batch", {"items": [item("t:1", "I love it")]})
    assert await send("DELETE", "/v1/texts/t:1") == (204, None)
    status, body = await send("DELETE", "/v1/texts/t:1")
    assert (status, body["error"]["code"]) == (404, "not_found")
    assert codes_of(await send("POST", "/v1/predict/batch", {"items": [item("t:1", "edited since")]})) == ["ok"]


async def test_an_ingest_that_is_not_there_is_404(send):
    status, body = await send("POST", "/v1/ingests/nowhere/pause", {})
    assert (status, body["error"]["code"]) == (404, "not_found")
