"""Who is answered: keys and their scopes beyond loopback, pages of other sites on it."""

from __future__ import annotations

import re

import httpx
import pytest

from sentiment.settings import Settings
from serve_app.edge_contract import INSTANCE_HEADER
from serve_app.gateway.http.app import build_http_app
from tests.unit.gateway.fake_parts import FakeParts, NoKeys, backend_of, client_of

OPEN = ("/healthz", "/health")


@pytest.fixture
def parts() -> FakeParts:
    return FakeParts()


async def test_beyond_loopback_only_keys_with_the_scope_are_answered(parts):
    async with client_of(parts, host="0.0.0.0") as client:
        body = {"text": "I love it"}
        assert (await client.get("/healthz")).status_code == 200
        for path in ("/readyz", "/metrics", "/docs", "/openapi.json", "/v1/models", "/v1/texts"):
            assert (await client.get(path)).status_code == 401, path
        assert (await client.post("/v1/predict", json=body)).status_code == 401
        reader = {"Authorization": "Bearer reader"}
        assert (await client.post("/v1/predict", json=body, headers=reader)).status_code == 403
        assert (await client.get("/v1/texts", headers=reader)).status_code == 200
        everything = {"Authorization": "bearer all"}
        assert (await client.post("/v1/predict", json=body, headers=everything)).status_code == 200


async def test_who_has_no_key_is_told_the_scope_that_the_route_needs(parts):
    async with client_of(parts, host="0.0.0.0") as client:
        known = await client.get("/openapi.json", headers={"Authorization": "Bearer all"})
        described = known.json()["paths"]
        asked = [(method, path) for path, routes in described.items() for method in routes if path not in OPEN]
        assert len(asked) > 15
        for method, path in asked:
            where = path.format(text_id="a", command="pause", name="a")
            unknown, powerless = [
                await client.request(method, where, headers={"Authorization": f"Bearer {key}"})
                for key in ("unknown", "nothing")
            ]
            assert (unknown.status_code, powerless.status_code) == (401, 403), path
            [needed] = re.findall(r"--scope (\w+)", powerless.text)
            assert f"--scope {needed}'" in unknown.text, f"{method} {path} needs {needed}"


async def test_on_loopback_pages_of_other_sites_are_refused(parts):
    body, own = {"text": "I love it"}, {"Origin": "http://localhost:7860"}
    others = ({"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example"})
    async with client_of(parts) as client:
        for headers in others:
            assert (await client.post("/v1/predict", json=body, headers=headers)).status_code == 403
        assert (await client.post("/v1/predict", json=body, headers=own)).status_code == 200


@pytest.mark.parametrize(("instance", "named"), [("one-start", "one-start"), ("", None)])
async def test_the_api_says_to_anybody_which_start_of_the_platform_it_is_of(parts, instance, named):
    app = build_http_app(
        backend_of(parts), NoKeys(), Settings(), lambda *_: None, needs_key=True, instance=lambda: instance
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        assert (await client.get("/healthz")).headers.get(INSTANCE_HEADER) == named
