"""Ingests over HTTP: started, listed and steered, with files of one folder and no others."""

from __future__ import annotations

import pytest

from serve_app.ingest.ledger import IngestLedger
from tests.unit.gateway.fake_parts import FakeParts, client_of

ASKED = {"name": "tweets", "kind": "csv", "file": "tweets.csv", "time_column": "date", "speed": "60x"}


@pytest.fixture
async def client(tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "tweets.csv").write_text("text,date\n")
    (tmp_path / "secret.csv").write_text("text\nsecret\n")
    async with client_of(FakeParts(), home=tmp_path) as client:
        yield client


@pytest.fixture
def ledger(tmp_path) -> IngestLedger:
    return IngestLedger(tmp_path / "ingests")


async def test_an_ingest_is_started_once_and_goes_on_when_it_is_asked_for_again(client, ledger, tmp_path):
    first, again = [await client.post("/v1/ingests", json=ASKED) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 200)
    shown = first.json()
    assert (shown["name"], shown["kind"], shown["by"], shown["read"]) == ("tweets", "csv", "platform", 0)
    assert ledger.orders()["tweets"].request.file == str(tmp_path / "files" / "tweets.csv")
    assert (await client.get("/v1/ingests")).json()["ingests"] == [again.json()]
    assert (await client.get("/v1/ingests/tweets")).json() == again.json()


async def test_a_live_source_needs_no_file_and_no_address_may_be_named(client, ledger):
    sky = {"name": "sky", "kind": "bluesky", "languages": ["en"]}
    assert (await client.post("/v1/ingests", json=sky)).status_code == 201
    assert ledger.orders()["sky"].request.languages == ("en",)
    answer = await client.post("/v1/ingests", json={**sky, "address": "ws://10.0.0.1"})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "address")


async def test_it_pauses_stops_and_starts(client):
    await client.post("/v1/ingests", json=ASKED)
    for command, state in (("pause", "paused"), ("stop", "stopped"), ("start", "waiting")):
        answer = await client.post(f"/v1/ingests/tweets/{command}")
        assert (answer.status_code, answer.json()["state"]) == (200, state)


@pytest.mark.parametrize("file", ["../secret.csv", "/etc/passwd", "nothing.csv", ".", "link.csv"])
async def test_no_file_outside_the_folder_is_read_or_betrayed(client, tmp_path, file):
    (tmp_path / "files" / "link.csv").symlink_to(tmp_path / "secret.csv")
    answer = await client.post("/v1/ingests", json={**ASKED, "file": file})
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "file"
    assert "that may be ingested" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"name": "a b"}, 422, "name"),
        ({"kind": "excel"}, 422, "kind"),
        ({"speed": "fast"}, 422, "speed"),
        ({"limit": 0}, 422, "limit"),
        ({"colour": "red"}, 422, "colour"),
        ({"time_column": "at"}, 409, "name"),
    ],
)
async def test_what_is_wrong_is_named(client, change, status, field):
    await client.post("/v1/ingests", json=ASKED)
    answer = await client.post("/v1/ingests", json={**ASKED, **change})
    assert (answer.status_code, answer.json()["error"]["field"]) == (status, field)


async def test_what_is_not_there_is_404(client):
    assert (await client.get("/v1/ingests/nowhere")).status_code == 404
    assert (await client.post("/v1/ingests/nowhere/pause")).status_code == 404
    await client.post("/v1/ingests", json=ASKED)
    answer = await client.post("/v1/ingests/tweets/fly")
    assert answer.status_code == 404
    assert "start, pause, stop" in answer.json()["error"]["message"]


async def test_feeds_and_searches_need_no_file(client, ledger):
    feed = {"name": "news", "kind": "gdelt", "feed": "both", "from_time": "2026-03-01", "once": True}
    search = {"name": "floods", "kind": "gdelt-doc", "query": "flood"}
    assert [(await client.post("/v1/ingests", json=asked)).status_code for asked in (feed, search)] == [201, 201]
    request = ledger.orders()["news"].request
    assert (request.feed, request.from_time, request.once, request.file) == ("both", "2026-03-01", True, None)
    assert ledger.orders()["floods"].request.query == "flood"
    assert (await client.get("/v1/ingests/news")).json()["gaps"] == {}


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"kind": "gdelt", "file": "tweets.csv"}, "file"),
        ({"kind": "gdelt", "feed": "klingon"}, "feed"),
        ({"kind": "gdelt", "from_time": "soon"}, "from_time"),
        ({"kind": "gdelt-doc"}, "query"),
        ({"kind": "csv"}, "file"),
    ],
)
async def test_what_is_wrong_with_a_feed_is_named(client, asked, field):
    answer = await client.post("/v1/ingests", json={"name": "news", **asked})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"from_time": "2026-03-02", "to_time": "2026-03-01"}, 422, "to_time '2026-03-01' is not after from_time"),
        ({"from_time": "soon"}, 422, "from_time 'soon' is not a time"),
        ({"speed": "0x"}, 422, "speed '0x' is not a speed"),
        ({"time_column": "--to"}, 409, "was started with another time_column: give another name, or start from the"),
    ],
)
async def test_a_message_names_the_fields_of_the_api_and_not_the_options_of_the_command(
    client, change, status, message
):
    await client.post("/v1/ingests", json=ASKED)
    answer = await client.post("/v1/ingests", json={**ASKED, **change})
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]
    assert "--" not in answer.json()["error"]["message"]
