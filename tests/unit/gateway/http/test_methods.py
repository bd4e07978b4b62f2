"""HEAD and OPTIONS on every route, slashes at the end, and the routes that Text Embeddings Inference has."""

from __future__ import annotations

import asyncio

import pytest

from sentiment.settings import Settings
from serve_app.gateway.http.app import build_http_app
from serve_app.gateway.http.routes.health import FRESH_S, ModelHealth
from tests.unit.gateway.fake_parts import FakeParts, NoKeys, backend_of, client_of

READ = ("/healthz", "/health", "/readyz", "/metrics", "/v1/models", "/v1/texts", "/v1/texts/t1", "/v1/split", "/docs")
FILES = ("/openapi.json", "/static-offline-docs/swagger-ui.css")


@pytest.fixture
def parts() -> FakeParts:
    return FakeParts()


@pytest.fixture
async def client(parts: FakeParts):
    async with client_of(parts) as client:
        yield client


async def sent_by_app(method: str, path: str) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body as the application sends them: clients and servers drop a body of HEAD."""
    app = build_http_app(
        backend_of(FakeParts()), NoKeys(), Settings(), lambda *_: None, needs_key=False, adds_request_id=False
    )
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b""}
    scope |= {"headers": [(b"host", b"127.0.0.1")], "http_version": "1.1", "root_path": "", "scheme": "http"}
    sent, bodies = [], iter([b""])

    async def receive():
        if next(bodies, None) is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize("path", [*READ, *FILES])
async def test_head_has_the_status_and_the_headers_of_get_and_no_body(client, path):
    await client.post("/v1/texts", json={"text": "plain", "id": "t1"})
    got, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    own = ("x-request-id",)
    assert {k: v for k, v in head.headers.items() if k not in own} == {
        k: v for k, v in got.headers.items() if k not in own
    }


@pytest.mark.parametrize("path", ["/healthz", "/v1/texts", "/nothing", "/predict", "/docs", FILES[1]])
async def test_the_application_itself_sends_no_body_for_head(path):
    status, headers, body = await sent_by_app("HEAD", path)
    got, got_headers, got_body = await sent_by_app("GET", path)
    assert (status, headers["content-type"], body) == (got, got_headers["content-type"], b"")
    assert int(headers["content-length"]) >= len(got_body) > 0


async def test_head_on_a_path_that_only_takes_post_is_405_and_says_so(client):
    answer = await client.head("/v1/predict")
    assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS, POST")


async def test_head_needs_the_key_that_get_needs(parts):
    async with client_of(parts, host="0.0.0.0") as client:
        assert (await client.head("/v1/texts")).status_code == 401
        assert (await client.head("/v1/texts", headers={"Authorization": "Bearer nothing"})).status_code == 403
        assert (await client.head("/v1/texts", headers={"Authorization": "Bearer reader"})).status_code == 200
        assert (await client.head("/healthz")).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
async def test_options_says_what_a_path_takes_without_a_key(parts, host):
    async with client_of(parts, host=host) as client:
        for path, allowed in (
            ("/v1/predict", "OPTIONS, POST"),
            ("/v1/texts", "GET, HEAD, OPTIONS, POST"),
            ("/v1/texts/a", "DELETE, GET, HEAD, OPTIONS"),
            ("/", "OPTIONS, POST"),
            ("/v1/predict/stream/", "OPTIONS, POST"),
            ("/static-offline-docs/swagger-ui.css", "GET, HEAD, OPTIONS"),
        ):
            answer = await client.options(path)
            assert (answer.status_code, answer.headers["allow"], answer.content) == (204, allowed, b""), path
        assert (await client.options("/nothing")).status_code == 404


@pytest.mark.parametrize("slashes", ["/", "//"])
async def test_a_slash_at_the_end_changes_nothing(client, slashes):
    body, tei = {"text": "I love it", "id": "t1"}, {"inputs": "I love it"}
    assert (await client.post(f"/v1/predict{slashes}", json=body)).json()["label"] == "positive"
    assert (await client.post(f"/v1/predict/batch{slashes}", json={"texts": ["I love it"]})).status_code == 200
    assert (await client.post(f"/v1/predict/stream{slashes}", content=b'"I love it"')).status_code == 200
    assert (await client.post(f"/predict{slashes}", json=tei)).json()[0]["label"] == "positive"
    assert (await client.get(f"/v1/texts/t1{slashes}")).json()["id"] == "t1"
    assert (await client.get(f"/v1/texts{slashes}?limit=1")).status_code == 200
    assert (await client.get(f"/healthz{slashes}")).status_code == 200
    assert (await client.get(f"/docs{slashes}")).status_code == 200
    assert (await client.get(f"/nothing{slashes}")).status_code == 404
    assert (await client.get(f"/static-offline-docs{slashes}")).status_code == 404
    assert (await client.delete(f"/v1/texts/t1{slashes}")).status_code == 204


async def test_a_slash_at_the_end_opens_no_door_and_lifts_no_limit(parts):
    async with client_of(parts, host="0.0.0.0", max_body_bytes=2000) as client:
        assert (await client.get("/v1/texts/")).status_code == 401
        assert "--scope admin" in (await client.post("/v1/rollouts/", json={})).text
        key = {"Authorization": "Bearer all"}
        assert (await client.post("/v1/predict/", content=b"x" * 3000, headers=key)).status_code == 413
        lines = b'"I love it"\n' * 300
        assert (await client.post("/v1/predict/stream/", content=lines, headers=key)).status_code == 200


async def test_an_escaped_slash_is_a_part_of_a_name(client):
    await client.post("/v1/texts", json={"text": "plain", "id": "t1"})
    assert (await client.delete("/v1/texts/t1%2F")).status_code == 404
    assert (await client.get("/v1/texts/t1")).status_code == 200


async def test_the_root_answers_as_predict_of_tei_does(client):
    for body in ({"inputs": "I love it"}, {"inputs": [["I love it"], ["I hate it"]], "raw_scores": True}, {}):
        root, predict = await client.post("/", json=body), await client.post("/predict", json=body)
        assert (root.status_code, root.json()) == (predict.status_code, predict.json())
    assert (await client.post("/", json={"inputs": "I love it"}, params={"model": 3})).status_code == 200
    assert (await client.get("/")).status_code == 405


async def test_the_root_needs_the_scope_of_predict(parts):
    async with client_of(parts, host="0.0.0.0") as client:
        body = {"inputs": "I love it"}
        assert "--scope predict" in (await client.post("/", json=body)).text
        assert (await client.post("/", json=body, headers={"Authorization": "Bearer reader"})).status_code == 403
        assert (await client.post("/", json=body, headers={"Authorization": "Bearer all"})).status_code == 200


async def test_health_is_empty_and_200_while_the_model_answers_and_needs_no_key(parts):
    async with client_of(parts, host="0.0.0.0", shares_app=False) as client:
        well = await client.get("/health")
        assert (well.status_code, well.content) == (200, b"")
    parts.broken = True
    async with client_of(parts, host="0.0.0.0", shares_app=False) as client:
        ill = await client.get("/health")
        assert (ill.status_code, ill.json()) == (503, {"error": "unhealthy", "error_type": "Unhealthy"})


async def test_health_asks_the_model_once_a_second_however_many_ask():
    now_s, asked = 0.0, 0

    async def answers() -> bool:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return asked != 2

    health = ModelHealth(answers, lambda: now_s)
    assert await asyncio.gather(*(health.is_well() for _ in range(50))) == [True] * 50
    assert asked == 1
    now_s = FRESH_S
    assert [await health.is_well() for _ in range(3)] == [False] * 3
    assert asked == 2


async def test_a_model_that_does_not_answer_in_time_is_not_well(monkeypatch):
    monkeypatch.setattr("serve_app.gateway.http.routes.health.PATIENCE_S", 0.01)
    health = ModelHealth(asyncio.Event().wait, lambda: 0.0)
    assert not await health.is_well()
