"""A request that HAProxy sends twice, the first gateway having died after it had kept the text, is kept once."""

from __future__ import annotations

import json
import uuid

import pytest

from sentiment.identifiers import new_id, repeatable_id
from sentiment.records import TextQuery
from serve_app.edge_contract import ARRIVAL_HEADER, stamp_of
from tests.unit.gateway.fake_parts import SECRET, FakeParts, client_of

AT_MS = 1_763_777_580_123


def arrival(name: str = "4f0c6f3e-6a55-4d0a-9f6e-1f7a52b3c111", *, stamp: str = stamp_of(SECRET)) -> dict[str, str]:
    return {ARRIVAL_HEADER: f"{stamp}.{AT_MS}.{name}"}


@pytest.fixture
def parts() -> FakeParts:
    return FakeParts()


async def sent(parts: FakeParts, path: str, body: object, headers: dict[str, str]) -> list[str]:
    """Send a body to a gateway of its own, as HAProxy does once more; return the ids of the answer."""
    async with client_of(parts) as gateway:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = await gateway.post(path, content=content, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    if path.endswith("stream"):
        return [json.loads(line)["id"] for line in answer.text.splitlines()]
    found = answer.json()
    return [row["id"] for row in found["results"]] if "results" in found else [found["id"]]


def kept(parts: FakeParts) -> int:
    return len(parts.store.page(TextQuery(), 500, None).records)


@pytest.mark.parametrize(
    ("path", "body", "texts"),
    [
        ("/v1/predict", {"text": "I love it"}, 1),
        ("/v1/texts", {"text": "I love it"}, 1),
        ("/v1/predict/batch", {"texts": ["I love it", "I hate it", "I love it"]}, 3),
        ("/v1/predict/stream", b'{"text": "I love it"}\n{"text": "I love it"}\n', 2),
    ],
)
async def test_a_request_that_comes_twice_is_kept_once_and_gets_the_same_ids(parts, path, body, texts):
    first = await sent(parts, path, body, arrival())
    again = await sent(parts, path, body, arrival())
    assert first == again
    assert len(set(first)) == texts
    assert kept(parts) == texts


async def test_a_request_in_the_other_servers_shape_is_kept_once_too(parts):
    for _ in range(2):
        async with client_of(parts) as gateway:
            answer = await gateway.post("/predict", json={"inputs": [["one"], ["two"]]}, headers=arrival())
        assert answer.status_code == 200
    assert kept(parts) == 2


async def test_a_clients_own_request_id_merges_nothing(parts):
    headers = {"X-Request-Id": "always-the-same"}
    first = await sent(parts, "/v1/predict", {"text": "I love it"}, {**headers, **arrival("one")})
    again = await sent(parts, "/v1/predict", {"text": "I love it"}, {**headers, **arrival("two")})
    without = await sent(parts, "/v1/predict", {"text": "I love it"}, headers)
    assert len({*first, *again, *without}) == 3
    assert kept(parts) == 3


@pytest.mark.parametrize("stamp", ["", "0" * 32, stamp_of(b"another platform"), "ö"])
async def test_a_name_that_a_client_made_up_counts_for_nothing(parts, stamp):
    headers = {name: value.encode() for name, value in arrival(stamp=stamp).items()}
    ids = [id_ for _ in range(2) for id_ in await sent(parts, "/v1/predict", {"text": "I love it"}, headers)]
    assert len(set(ids)) == 2


async def test_an_id_that_the_client_chose_stays_as_it_is(parts):
    assert await sent(parts, "/v1/predict", {"text": "I love it", "id": "a1"}, arrival()) == ["a1"]


def test_an_id_that_can_be_made_again_is_of_version_7_and_stands_in_the_order_of_time():
    made = repeatable_id(AT_MS, b"\xff" * 16)
    assert uuid.UUID(made).version == 7
    assert int(made.replace("-", "")[:12], 16) == AT_MS
    assert new_id(AT_MS - 1) < made < new_id(AT_MS + 1)
