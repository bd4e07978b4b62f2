"""Rollouts, the fixed split and pinned versions over HTTP, with a store that a controller has written to."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from sentiment.records import PutText
from sentiment.settings import Settings
from serve_app.rollout.api_view import to_public
from serve_app.rollout.policy.record import HISTORY_KIND, KIND, Entry, Rollout, StartRequest, State
from tests.contract.stores import text
from tests.unit.gateway.fake_parts import FakeParts, canary_of, client_of
from tests.unit.rollout.rollouts import LABELS, list_models, rollout_of, serve_version

MODEL = "sentiment"


@pytest.fixture
def parts() -> FakeParts:
    parts = FakeParts()
    serve_version(parts.store, 3)
    list_models(parts.store, {3: LABELS, 4: LABELS, 5: ("negative", "positive")})
    return parts


@pytest.fixture
async def client(parts: FakeParts):
    async with client_of(parts, backend_options={"table": canary_of(0.0)}) as client:
        yield client


def error_of(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]


def under_way(parts: FakeParts, state: State = State.CANARY, stage: int = 2, **changes: object) -> None:
    """Write the record of a rollout of version 4, as the controller would."""
    rollout = Rollout.begin(StartRequest(version=4), Settings(), 3, 1_000, "asked for")
    entry = Entry(at_ms=2_000, state=state, stage=stage, reason="for the test")
    present = parts.store.get_document(KIND, MODEL)
    body = rollout.with_decision(entry, **changes).to_body()
    parts.store.put_document(KIND, MODEL, body, present.generation if present else 0)


async def test_a_rollout_is_started_with_what_it_is_asked_for(client):
    wanted = {"version": 4, "plan": "shadow,20,100", "hold_s": 5, "auto": True, "sticky": "author"}
    answer = await client.post("/v1/rollouts", json=wanted)
    assert answer.status_code == 201
    told = answer.json()
    assert (told["champion"], told["challenger"], told["state"]) == (3, 4, "waiting")
    assert (told["plan"], told["hold_s"], told["auto"], told["sticky"]) == ("shadow,20,100", 5.0, True, "author")
    assert (await client.get("/v1/rollouts/current")).json()["id"] == told["id"]
    assert [row["id"] for row in (await client.get("/v1/rollouts")).json()["rollouts"]] == [told["id"]]


@pytest.mark.parametrize(
    ("body", "status", "field", "says"),
    [
        ({}, 422, "version", "is missing"),
        ({"version": "4"}, 422, "version", "must be a whole number"),
        ({"version": 0}, 422, "version", "must be 1 or more"),
        ({"version": 4, "plan": "50,10"}, 422, "plan", "do not grow"),
        ({"version": 4, "hold_s": -1}, 422, "hold_s", "or more"),
        ({"version": 4, "hold": 1}, 422, "hold", "permitted are version, plan, hold_s"),
        ({"version": 4, "sticky": "name"}, 422, "sticky", "'none', 'author' or 'key'"),
        ({"version": 9}, 404, "version", "registered are 3, 4, 5"),
        ({"version": 3}, 409, "version", "serves already"),
        ({"version": 5}, 409, "version", "cannot be rolled out"),
    ],
)
async def test_a_rollout_that_cannot_be_is_refused_with_the_reason(client, body, status, field, says):
    answer = await client.post("/v1/rollouts", json=body)
    assert answer.status_code == status
    assert says in answer.json()["error"]["message"]
    assert answer.json()["error"]["field"] == field


async def test_a_second_rollout_is_refused(client, parts):
    under_way(parts)
    status, code, message = error_of(await client.post("/v1/rollouts", json={"version": 4, "plan": "100"}))
    assert (status, code) == (409, "conflict")
    assert "only one rollout can run at a time" in message


async def test_a_start_and_an_abort_whose_answers_were_lost_may_be_sent_again(client):
    first = await client.post("/v1/rollouts", json={"version": 4, "plan": "10,100"})
    again = await client.post("/v1/rollouts", json={"version": 4, "plan": "10,100"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    for _ in range(2):
        answer = await client.post("/v1/rollouts/current/abort?stage=0")
        assert (answer.status_code, answer.json()["asked"]) == (200, "abort")


async def test_before_the_first_rollout_there_is_none(client):
    assert (await client.get("/v1/rollouts")).json() == {"rollouts": [], "next": None}
    status, code, message = error_of(await client.get("/v1/rollouts/current"))
    assert (status, code) == (404, "not_found")
    assert "no rollout yet" in message


async def test_rollouts_are_listed_a_page_at_a_time(client, parts):
    for number in range(101):
        told = to_public(rollout_of(State.DONE, 5, id=f"r-{number:03}", started_ms=number), 1_000)
        parts.store.put_document(HISTORY_KIND, told["id"], told)
    page = (await client.get("/v1/rollouts")).json()
    assert ([row["id"] for row in page["rollouts"]][::19], page["next"]) == (["r-100", "r-081"], "r-081")
    page = (await client.get(f"/v1/rollouts?limit=100&after={page['next']}")).json()
    assert (page["rollouts"][0]["id"], len(page["rollouts"]), page["next"]) == ("r-080", 81, None)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("limit=0", "limit: must be 1 or more"),
        ("limit=101", "limit: must be 100 or less"),
        ("limit=all", "limit: must be a whole number"),
        ("after=nowhere", "not from this list"),
        ("after=a%20b", "after: is not from this list"),
        ("page=2", "page: is not known here; permitted are limit, after"),
    ],
)
async def test_a_page_of_rollouts_that_is_none_is_refused(client, query, says):
    status, code, message = error_of(await client.get(f"/v1/rollouts?{query}"))
    assert (status, code) == (422, "invalid_input")
    assert says in message


@pytest.mark.parametrize("command", ["pause", "promote", "abort"])
async def test_a_command_is_written_for_the_controller(client, parts, command):
    under_way(parts)
    told = await client.post(f"/v1/rollouts/current/{command}")
    assert (told.status_code, told.json()["asked"]) == (200, command)
    assert Rollout.from_body(parts.store.get_document(KIND, MODEL).body).asked == command


async def test_commands_that_make_no_sense_now_say_why(client, parts):
    assert error_of(await client.post("/v1/rollouts/current/abort"))[0] == 404
    under_way(parts)
    assert "is not paused" in error_of(await client.post("/v1/rollouts/current/resume"))[2]
    assert error_of(await client.post("/v1/rollouts/current/promote?stage=1"))[:2] == (409, "conflict")
    status, _, message = error_of(await client.post("/v1/rollouts/current/explode"))
    assert status == 404
    assert "the commands are pause, resume, promote, abort" in message


async def test_disagreements_are_shown_with_their_texts_until_these_are_deleted(client, parts):
    parts.store.apply([PutText(text("t-1", "meh @user")), PutText(text("t-2", "so so"))])
    seen = [
        {"id": id_, "champion_label": "neutral", "champion_score": 0.6, "challenger_label": "negative"}
        for id_ in ("t-1", "t-2")
    ]
    counts = {"arms": {}, "compared": 9, "disagreed": 2, "examples": [{**one, "challenger_score": 0.7} for one in seen]}
    under_way(parts, counts={2: {"gateway-1": counts}})
    await client.delete("/v1/texts/t-2")
    for told in (
        (await client.get("/v1/rollouts/current")).json(),
        (await client.get("/v1/rollouts")).json()["rollouts"][0],
    ):
        assert (told["compared"]["compared"], told["compared"]["disagreed"]) == (9, 2)
        [example] = told["compared"]["examples"]
        assert (example["id"], example["text"]) == ("t-1", "meh @user")
        assert (example["champion_label"], example["challenger_label"]) == ("neutral", "negative")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/rollouts"),
        ("POST", "/v1/rollouts/current/abort"),
        ("PUT", "/v1/split"),
    ],
)
async def test_what_moves_traffic_needs_an_admin_key(parts, method, path):
    async with client_of(parts, host="0.0.0.0") as client:
        answer = await client.request(method, path, headers={"Authorization": "Bearer reader"}, json={"version": 4})
        assert error_of(answer)[:2] == (403, "forbidden")
        seen = await client.get("/v1/rollouts", headers={"Authorization": "Bearer reader"})
        assert seen.status_code == 200


async def test_the_split_is_written_read_and_ended(client):
    assert (await client.get("/v1/split")).json() == {"versions": {}}
    put = await client.put("/v1/split", json={"versions": {"a": 3, "b": 4}})
    assert (put.status_code, put.json()) == (200, {"versions": {"a": 3, "b": 4}})
    assert (await client.get("/v1/split")).json() == {"versions": {"a": 3, "b": 4}}
    await client.put("/v1/split", json={"versions": {}})
    assert (await client.get("/v1/split")).json() == {"versions": {}}


@pytest.mark.parametrize(
    ("versions", "status", "says"),
    [
        ({"a": 9}, 404, "versions.a: sentiment has no version 9; registered are 3, 4, 5"),
        ({"a": 5}, 409, "versions.a: version 5 has other labels than"),
        ({"a": "3"}, 422, "versions.a: must be a whole number"),
        (None, 422, "versions"),
    ],
)
async def test_a_split_that_cannot_be_is_refused(client, versions, status, says):
    answer = await client.put("/v1/split", json={"versions": versions})
    assert answer.status_code == status
    assert says in answer.json()["error"]["message"]
    assert answer.json()["error"]["field"] == says.partition(":")[0]


async def test_a_request_pins_a_loaded_version(client, parts):
    answer = await client.post("/v1/predict?model=4", json={"text": "meh", "id": "p-1"})
    assert answer.json()["model"]["version"] == 4
    assert parts.store.get("p-1").model_version == 4
    batch = await client.post("/v1/predict/batch?model=4", json={"texts": ["meh", "venom"]})
    assert batch.json()["results"][0]["model"]["version"] == 4
    assert "cannot read" in batch.json()["results"][1]["error"]["message"]
    stream = await client.post("/v1/predict/stream?model=4", content=b'{"text": "meh"}\n')
    assert '"version":4' in stream.text
    explained = await client.post("/v1/explain?model=4", json={"text": "meh"})
    assert explained.json()["model"]["version"] == 4
    pairs = await client.post("/predict?model=4", json={"inputs": "meh"})
    assert pairs.json()[0]["label"] == "negative"


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/predict/batch", "/v1/predict/stream", "/v1/explain"])
async def test_a_version_that_is_not_loaded_is_not_found_and_the_loaded_ones_are_named(client, path):
    body = {"texts": ["meh"]} if path.endswith("batch") else {"text": "meh"}
    status, code, message = error_of(await client.post(f"{path}?model=9", json=body))
    assert (status, code) == (404, "not_found")
    assert "version 9 is not loaded; choose one of 3, 4" in message


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("model=eight", "model: must be a whole number"),
        ("model=0", "model: must be 1 or more"),
        ("modle=4", "modle: is not known here; permitted are model"),
        ("model=3&model=4", "is given twice"),
    ],
)
async def test_a_pin_that_is_none_is_refused(client, query, says):
    status, _, message = error_of(await client.post(f"/v1/predict?{query}", json={"text": "meh"}))
    assert status == 422
    assert says in message


async def test_a_split_is_followed_by_its_header(parts):
    table = canary_of(0.0, split={"a": 3, "b": 4})
    async with client_of(parts, backend_options={"table": table}) as client:
        asked = [
            await client.post("/v1/predict", json={"text": "meh"}, headers={"X-Undertone-Split": value})
            for value in ("a", "b", "c", "x" * 65)
        ]
    assert [answer.json()["model"]["version"] for answer in asked[:2]] == [3, 4]
    assert [error_of(answer)[0] for answer in asked[2:]] == [422, 422]
    assert asked[2].json()["error"]["field"] == "X-Undertone-Split"


async def test_requests_pinned_and_not_go_through_side_by_side(client):
    answers = await asyncio.gather(
        *(client.post(f"/v1/predict?model={3 + number % 2}", json={"text": f"meh {number}"}) for number in range(20))
    )
    assert [answer.json()["model"]["version"] for answer in answers] == [3, 4] * 10
