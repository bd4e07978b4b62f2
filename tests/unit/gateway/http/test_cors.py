"""Pages of other sites: which may call the API, what their browsers are told, and on which answers."""

from __future__ import annotations

import asyncio

import pytest

from sentiment.errors import InvalidSettings
from sentiment.settings import load_settings
from tests.unit.gateway.fake_parts import FakeParts, client_of

APP, OTHER = "https://app.example", "http://localhost:3000"
BOTH = f"{APP},{OTHER}"
ALLOWED = "access-control-allow-origin"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


def asking(origin: str, **headers: str) -> dict[str, str]:
    return {"Origin": origin, **PREFLIGHT, **headers}


async def test_no_page_of_another_site_is_let_in_by_default():
    for settings in ({}, {"host": "0.0.0.0"}):
        async with client_of(FakeParts(), **settings) as client:
            answer = await client.options("/v1/predict", headers=asking(APP))
            error = answer.json()["error"]
            assert (answer.status_code, error["field"]) == (403, "Origin")
            assert (
                "'https://app.example' may not call this API; add the origin to UNDERTONE_CORS_ORIGINS"
                in error["message"]
            )
            assert not [name for name in answer.headers if name.startswith("access-control")]
            assert "vary" not in answer.headers


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
async def test_a_browser_may_ask_about_every_route_without_a_key(host):
    async with client_of(FakeParts(), host=host, cors_origins=BOTH) as client:
        key = {"Authorization": "Bearer all"}
        paths = (await client.get("/openapi.json", headers=key)).json()["paths"]
        assert len(paths) > 12
        for path, routes in paths.items():
            answer = await client.options(path.format(text_id="a", command="pause", name="a"), headers=asking(APP))
            assert (answer.status_code, answer.content) == (204, b""), path
            assert answer.headers[ALLOWED] == APP
            methods = set(answer.headers["access-control-allow-methods"].split(", "))
            assert methods == {m.upper() for m in routes} | {"OPTIONS"} | ({"HEAD"} if "get" in routes else set()), path
            assert "Authorization" in answer.headers["access-control-allow-headers"].split(", ")
            assert answer.headers["vary"] == "Origin"
            assert "access-control-allow-credentials" not in answer.headers


async def test_only_the_pages_that_the_settings_name_are_let_in():
    async with client_of(FakeParts(), cors_origins=BOTH) as client:
        for origin in ("https://app.example.evil", "http://app.example", "https://app.example:8443", "null"):
            answer = await client.options("/v1/predict", headers=asking(origin))
            assert (answer.status_code, ALLOWED in answer.headers) == (403, False), origin
            assert answer.headers["vary"] == "Origin"
        for origin in (APP, OTHER):
            answer = await client.post("/v1/predict", json={"text": "I love it"}, headers={"Origin": origin})
            assert (answer.status_code, answer.headers[ALLOWED]) == (200, origin)
            assert answer.headers["access-control-expose-headers"] == "Retry-After, X-Request-Id"


async def test_a_page_that_is_let_in_is_so_on_loopback_too_but_under_no_other_name_of_the_host():
    body = {"text": "I love it"}
    async with client_of(FakeParts(), cors_origins=APP) as client:
        assert (await client.post("/v1/predict", json=body, headers={"Origin": APP})).status_code == 200
        stranger = await client.post("/v1/predict", json=body, headers={"Origin": "https://evil.example"})
        assert (stranger.status_code, ALLOWED in stranger.headers) == (403, False)
        assert "UNDERTONE_CORS_ORIGINS" in stranger.json()["error"]["message"]
        rebound = await client.post("/v1/predict", json=body, headers={"Origin": APP, "Host": "evil.example"})
        assert (rebound.status_code, rebound.json()["error"]["field"]) == (403, "Host")


async def test_all_pages_are_let_in_only_by_a_star():
    async with client_of(FakeParts(), cors_origins="*") as client:
        for origin in (APP, "null"):
            answer = await client.post("/v1/predict", json={"text": "I love it"}, headers={"Origin": origin})
            assert (answer.status_code, answer.headers[ALLOWED]) == (200, "*")
            assert "vary" not in answer.headers
        assert ALLOWED not in (await client.get("/healthz")).headers


async def test_errors_can_be_read_by_the_page_as_well():
    parts = FakeParts()
    page = {"Origin": APP}
    keyed = {**page, "Authorization": "Bearer all"}
    body = {"text": "I love it"}
    async with client_of(parts, host="0.0.0.0", cors_origins=APP, max_body_bytes=2000) as client:
        answers = {
            401: await client.post("/v1/predict", json=body, headers=page),
            403: await client.post("/v1/predict", json=body, headers={**page, "Authorization": "Bearer reader"}),
            404: await client.get("/nothing", headers=keyed),
            405: await client.delete("/v1/predict", headers=keyed),
            413: await client.post("/v1/predict", content=b"x" * 3000, headers=keyed),
            415: await client.post("/v1/predict", content=b"x", headers={**keyed, "Content-Encoding": "br"}),
            422: await client.post("/v1/predict", content=b"{}", headers=keyed),
        }
        parts.broken = True
        answers[503] = await client.post("/v1/predict", json=body, headers=keyed)
        parts.broken, parts.delay_s = False, 0.2
        answers[504] = await client.post("/v1/predict", json=body, headers={**keyed, "X-Deadline-Ms": "10"})
        explained = [client.post("/v1/explain", json=body, headers=keyed) for _ in range(3)]
        answers[429] = max(await asyncio.gather(*explained), key=lambda answer: answer.status_code)
    assert {status: answer.status_code for status, answer in answers.items()} == {status: status for status in answers}
    assert {answer.headers.get(ALLOWED) for answer in answers.values()} == {APP}


async def test_an_unknown_path_is_so_for_a_browser_that_asks_first():
    async with client_of(FakeParts(), cors_origins=APP) as client:
        answer = await client.options("/nothing", headers=asking(APP))
        assert (answer.status_code, answer.headers[ALLOWED]) == (404, APP)


async def test_the_stream_of_a_page_bears_the_headers_from_its_start():
    async with client_of(FakeParts(), cors_origins=APP) as client:
        answer = await client.post("/v1/predict/stream", content=b'"I love it"\n', headers={"Origin": APP})
        assert (answer.status_code, answer.headers[ALLOWED]) == (200, APP)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("https://app.example", "https://app.example"),
        (" https://App.Example/ , http://localhost:3000", "https://app.example,http://localhost:3000"),
        ("https://app.example:443,http://app.example:80", "https://app.example,http://app.example"),
        ("http://[::1]:5173", "http://[::1]:5173"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("https://a.example,https://a.example", "https://a.example"),
        ("*", "*"),
    ],
)
def test_origins_are_read_as_browsers_write_them(monkeypatch, given, read):
    monkeypatch.setenv("UNDERTONE_CORS_ORIGINS", given)
    assert load_settings().cors_origins == read


@pytest.mark.parametrize(
    "given",
    [
        "app.example",
        "https://app.example/path",
        "https://*.app.example",
        "https://app.example,,",
        "https://app.example:99999",
        "null",
        "https://bücher.example",
        "https://user@app.example",
        "https://app.example http://other.example",
        "*,https://app.example",
        ",",
    ],
)
def test_what_is_no_origin_stops_the_start_with_the_settings_name(monkeypatch, given):
    monkeypatch.setenv("UNDERTONE_CORS_ORIGINS", given)
    with pytest.raises(InvalidSettings, match=r"^UNDERTONE_CORS_ORIGINS: must be (origins like|\* alone)"):
        load_settings()
