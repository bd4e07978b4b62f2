"""The whole HTTP interface over fake parts: shapes, statuses, errors that name the field."""

from __future__ import annotations

import asyncio
import json

import pytest

from sentiment.records import TextQuery
from tests.unit.gateway.fake_parts import FakeParts, client_of


@pytest.fixture
def parts() -> FakeParts:
    return FakeParts()


@pytest.fixture
async def client(parts: FakeParts):
    async with client_of(parts) as client:
        yield client


async def test_a_text_gets_label_probabilities_verdict_and_timing(client, parts):
    answer = await client.post("/v1/predict", json={"text": "I love it @bob", "id": "a1", "topics": ["Food"]})
    assert answer.status_code == 200
    body = answer.json()
    assert body["id"] == "a1"
    assert body["label"] == "positive"
    assert body["sentiment"] == pytest.approx(0.7)
    assert body["verdict"] == "Positive"
    assert body["probabilities"] == {"negative": 0.1, "neutral": 0.1, "positive": 0.8}
    assert body["model"] == {"name": "sentiment", "version": 3}
    assert set(body["timing_ms"]) == {"queue", "preprocess", "inference", "total"}
    assert answer.headers["x-request-id"]
    stored = parts.store.get("a1")
    assert stored.text == "I love it @user"
    assert stored.topics == ("food",)


async def test_the_same_id_and_text_is_a_retry_and_another_text_a_conflict(client):
    first = await client.post("/v1/predict", json={"text": "I love it", "id": "a1"})
    again = await client.post("/v1/predict", json={"text": "I love it", "id": "a1"})
    other = await client.post("/v1/predict", json={"text": "I hate it", "id": "a1"})
    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 409)
    assert other.json()["error"]["code"] == "conflict"


async def test_half_a_surrogate_pair_spoils_its_own_text_only(client):
    body = b'{"texts": ["I love it", "half \\ud83d", "I hate it"]}'
    answer = await client.post("/v1/predict/batch", content=body)
    good, bad, other = answer.json()["results"]
    assert (good["label"], other["label"]) == ("positive", "negative")
    assert bad["error"]["field"] == "texts.1.text"
    assert "surrogate" in bad["error"]["message"]


@pytest.mark.parametrize("name", [".", "..", ".hidden"])
async def test_an_id_that_a_url_would_take_for_a_folder_is_refused(client, name):
    answer = await client.post("/v1/predict", json={"text": "I love it", "id": name})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "id")


async def test_equal_texts_cost_one_forward_pass(client, parts):
    body = {"texts": ["I love it", "I hate it", "I love it"]}
    labels = [row["label"] for row in (await client.post("/v1/predict/batch", json=body)).json()["results"]]
    await client.post("/v1/predict", json={"text": "I love it"})
    assert labels == ["positive", "negative", "positive"]
    assert parts.classified == [["I love it", "I hate it"]]


async def test_a_bad_item_gets_its_error_in_place(client):
    items = [{"text": "I love it"}, {"text": "poison"}, {"txet": 1}, {"text": ""}, 7, {"text": "x", "id": "a b"}]
    results = (await client.post("/v1/predict/batch", json={"items": items})).json()["results"]
    assert results[0]["label"] == "positive"
    assert [row["error"]["code"] for row in results[1:]] == ["invalid_input"] * 5
    assert results[2]["error"]["field"].startswith("items.2.")
    assert results[5]["error"]["field"] == "items.5.id"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"not json", "body"),
        (b"[]", "body"),
        (b"{}", "text"),
        (b'{"text": ""}', "text"),
        (b'{"text": 3}', "text"),
        (b'{"text": null}', "text"),
        (b'{"text": "\\ud800"}', "text"),
        (b'{"text": "\\u0000 \\u0001"}', "text"),
        (b'{"text": "x", "more": 1}', "more"),
        (b'{"text": "x", "id": ""}', "id"),
        (b'{"text": "x", "id": {"$ne": null}}', "id"),
        (b'{"text": "x", "created_at": "2026-01-01T00:00:00"}', "created_at"),
        (b'{"text": "x", "topics": "food"}', "topics"),
        (json.dumps({"text": "x" * 2001}).encode(), "text"),
    ],
)
async def test_wrong_input_is_422_and_names_the_field(client, body, field):
    answer = await client.post("/v1/predict", content=body)
    assert answer.status_code == 422
    assert (answer.json()["error"]["field"] or "") == field
    assert answer.json()["error"]["message"]


async def test_a_body_too_large_is_413_by_length_and_by_chunks(client):
    async def chunks():
        for _ in range(20):
            yield b"x" * 10_000

    assert (await client.post("/v1/predict", content=b"x" * 100_001)).status_code == 413
    assert (await client.post("/v1/predict", content=chunks())).status_code == 413


async def test_too_many_items_are_refused_by_name(client):
    answer = await client.post("/v1/predict/batch", json={"texts": ["x"] * 1001})
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "texts"


async def test_unknown_routes_and_methods_have_the_same_error_shape(client):
    for method, path, status in (("GET", "/nothing", 404), ("DELETE", "/v1/predict", 405)):
        answer = await client.request(method, path)
        assert answer.status_code == status
        assert answer.json()["error"]["message"]


async def test_a_stream_answers_line_by_line_in_order(client):
    lines = [json.dumps({"text": f"I {'love' if i % 2 else 'hate'} {i}", "id": f"s{i}"}) for i in range(600)]
    lines[5] = "{broken"
    lines[7] = json.dumps({"text": "poison"})
    answer = await client.post("/v1/predict/stream", content="\n".join(lines).encode())
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert len(rows) == 600
    assert [row.get("id") for row in rows[:5]] == [f"s{i}" for i in range(5)]
    assert rows[5]["error"]["field"] == "lines.5"
    assert rows[7]["error"]["code"] == "invalid_input"
    assert rows[599]["label"] == "positive"


async def test_the_stream_keeps_a_bounded_number_of_lines_under_way(client, parts):
    parts.delay_s = 0.001
    read = 0

    async def lines():
        nonlocal read
        for number in range(5000):
            read += 1
            yield json.dumps({"text": f"number {number}"}).encode() + b"\n"

    async with client.stream("POST", "/v1/predict/stream", content=lines()) as answer:
        assert sum([1 async for _ in answer.aiter_lines()]) == 5000
    assert read == 5000


async def test_an_overlong_line_is_skipped_and_reported(client):
    longest = 2000 * 12 + 16_384
    body = b'{"text": "' + b"x" * (longest + 10) + b'"}\n{"text": "I love it"}\n'
    rows = [json.loads(line) for line in (await client.post("/v1/predict/stream", content=body)).text.splitlines()]
    assert "more than" in rows[0]["error"]["message"]
    assert rows[1]["label"] == "positive"


async def test_explanations_have_a_limit_of_their_own(client, parts):
    parts.delay_s = 0.05
    asked = [client.post("/v1/explain", json={"text": "I love it"}) for _ in range(3)]
    answers = await asyncio.gather(*asked)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["retry-after"] == "1"


async def test_a_full_queue_is_429_with_retry_after(parts):
    parts.delay_s = 0.05
    async with client_of(parts, backend_options={"max_queued": 2, "max_items": 1, "in_flight": 1}) as client:
        answers = await asyncio.gather(*(client.post("/v1/predict", json={"text": f"t{i}"}) for i in range(8)))
    assert {answer.status_code for answer in answers} == {200, 429}
    assert all(a.headers["retry-after"] == "1" for a in answers if a.status_code == 429)


async def test_a_deadline_passed_is_504(client, parts):
    parts.delay_s = 1.0
    answer = await client.post("/v1/predict", json={"text": "slow"}, headers={"X-Deadline-Ms": "20"})
    assert answer.status_code == 504
    wrong = await client.post("/v1/predict", json={"text": "slow"}, headers={"X-Deadline-Ms": "soon"})
    assert wrong.status_code == 422


async def test_a_request_id_comes_back_and_one_of_another_form_is_refused(client):
    answer = await client.get("/healthz", headers={"X-Request-Id": "my-request.1"})
    assert answer.headers["x-request-id"] == "my-request.1"
    assert (await client.get("/healthz", headers={"X-Request-Id": "a b"})).status_code == 422


async def test_a_broken_classifier_is_503_and_shows_nothing_of_the_inside(client, parts):
    parts.broken = True
    answer = await client.post("/v1/predict", json={"text": "x"})
    assert answer.status_code == 503
    assert "Traceback" not in answer.text


async def test_tei_clients_work_unchanged(client):
    single = (await client.post("/predict", json={"inputs": "I love it"})).json()
    assert single[0]["label"] == "positive"
    assert [row["score"] for row in single] == sorted((row["score"] for row in single), reverse=True)
    batch = (await client.post("/predict", json={"inputs": [["I love it"], ["I hate it"]]})).json()
    assert [rows[0]["label"] for rows in batch] == ["positive", "negative"]
    raw = (await client.post("/predict", json={"inputs": "I love it", "raw_scores": True})).json()
    assert raw[0]["score"] == pytest.approx(-0.2231, abs=1e-3)
    refused = await client.post("/predict", json={"inputs": []})
    assert refused.status_code == 422
    assert set(refused.json()) == {"error", "error_type"}
    assert (await client.post("/predict", json={"inputs": "x " * 600})).status_code == 413
    assert (await client.post("/predict", json={"inputs": "x " * 600, "truncate": True})).status_code == 200


async def test_texts_are_inserted_labelled_read_listed_and_deleted(client):
    inserted = await client.post("/v1/texts", json={"text": "a plain text", "id": "t1", "author": "bob"})
    assert inserted.status_code == 201
    assert (await client.get("/v1/texts/t1")).json()["label"] is None
    patched = await client.patch("/v1/texts/t1/sentiment", json={"label": "positive"})
    assert patched.status_code == 200
    text = (await client.get("/v1/texts/t1")).json()
    assert (text["label"], text["labelled_by"], text["sentiment"]) == ("positive", "client", 1)
    assert text["author"] != "bob"
    assert [row["id"] for row in (await client.get("/v1/texts", params={"author": "bob"})).json()["texts"]] == ["t1"]
    assert (await client.delete("/v1/texts/t1")).status_code == 204
    assert (await client.get("/v1/texts/t1")).status_code == 404
    assert (await client.delete("/v1/texts/t1")).status_code == 404
    assert (await client.patch("/v1/texts/nobody/sentiment", json={"label": "positive"})).status_code == 404
    assert (await client.patch("/v1/texts/nobody/sentiment", json={"label": "joyful"})).status_code == 422


async def test_pages_continue_where_the_last_one_ended(client):
    for number in range(5):
        await client.post("/v1/texts", json={"text": f"text {number}", "id": f"p{number}"})
    seen, after = [], None
    while True:
        params = {"limit": 2} | ({"after": after} if after else {})
        page = (await client.get("/v1/texts", params=params)).json()
        seen += [row["id"] for row in page["texts"]]
        after = page["next"]
        if after is None:
            break
    assert sorted(seen) == [f"p{number}" for number in range(5)]
    assert len(seen) == 5


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "label=joy", "colour=red", "after=%00", "limit=1&limit=2"])
async def test_wrong_query_parameters_are_422(client, query):
    answer = await client.get(f"/v1/texts?{query}")
    assert answer.status_code == 422


async def test_readiness_makes_a_prediction_that_is_not_kept(client, parts):
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    assert parts.classified
    assert parts.store.count(TextQuery()) == {}
    parts.broken = True
    assert (await client.get("/readyz")).status_code == 503


async def test_the_page_of_the_documentation_loads_nothing_from_elsewhere(client):
    page = (await client.get("/docs")).text
    assert "swagger-ui" in page
    assert "https://" not in page
    for path in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert (await client.get(f"/static-offline-docs/{path}")).status_code == 200


async def test_the_openapi_document_lists_every_route(client):
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert {"/v1/predict", "/v1/predict/batch", "/v1/predict/stream", "/v1/explain", "/predict", "/v1/texts"} <= set(
        paths
    )
