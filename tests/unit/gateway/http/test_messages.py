"""What HTTP errors say: in the words of those who send JSON, with the place in the request and what is permitted."""

from __future__ import annotations

import json

import pytest

from sentiment.errors import InvalidInput
from serve_app.rollout.policy.plan import steps_of
from tests.unit.gateway.fake_parts import FakeParts, client_of


@pytest.fixture
async def client():
    async with client_of(FakeParts()) as client:
        yield client


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("[", "body: is not JSON: EOF while parsing a list at line 1 column 1"),
        ("[]", "body: must be an object, not []"),
        ({}, "text: is missing"),
        ({"text": ""}, "text: must not be empty"),
        ({"text": 3}, "text: must be a string, not 3"),
        ({"text": "\x00"}, "text: is empty: nothing of it is visible once it is normalised"),
        ({"text": None}, "text: must be a string, not null"),
        ({"text": ["a" * 100]}, f'text: must be a string, not ["{"a" * 62}…'),
        (
            {"text": "x", "created_at": "2026-13-31"},
            "created_at: must be a time like 2026-01-31T12:00:00Z, not '2026-13-31'",
        ),
        ({"text": "x", "id": "a b"}, "id: must have 1 to 128 letters, digits or . _ : ~ @ + = -, the first no dot"),
        ({"text": "x", "source": "a\nb"}, "source: must hold no line breaks or other control characters"),
        ({"text": "x", "topics": ["a" * 65]}, "topics.0: may have 64 characters at most, not 65"),
        ({"text": "x", "topics": ["a"] * 21}, "topics: may have 20 entries at most, not 21"),
        ({"text": "x", "created_at": 5}, "created_at: must be a text like 2026-01-31T12:00:00Z"),
        (
            {"text": "x", "created_at": "2026-01-31T12:00:00"},
            "created_at: needs a zone, like 2026-01-31T12:00:00Z; '2026-01-31T12:00:00' has none",
        ),
        (
            {"text": "x", "colour": "red"},
            "colour: is not known here; permitted are text, id, created_at, source, author, topics",
        ),
    ],
)
async def test_a_message_says_in_plain_words_what_a_field_may_be(client, body, message):
    answer = await client.post("/v1/predict", content=body if isinstance(body, str) else json.dumps(body))
    assert (answer.status_code, answer.json()["error"]["message"]) == (422, message)
    assert answer.json()["error"]["field"] == message.partition(":")[0]


@pytest.mark.parametrize(
    ("hold", "message"),
    [
        ("1e999", "hold_s: must be a number that is not infinite, not Infinity"),
        ("-1", "hold_s: must be 0 or more, not -1"),
        ("604801.5", "hold_s: must be 604800 or less, not 604801.5"),
        ('"60s"', "hold_s: must be a number, not '60s'"),
    ],
)
async def test_a_number_out_of_range_is_told_the_range_and_what_was_given(client, hold, message):
    answer = await client.post("/v1/rollouts", content=f'{{"version": 8, "hold_s": {hold}}}')
    assert (answer.status_code, answer.json()["error"]["message"]) == (422, message)


async def test_a_number_of_any_length_is_not_echoed_whole(client):
    answer = await client.post("/v1/rollouts", content=f'{{"version": {"9" * 4200}}}')
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].endswith(f"not {'9' * 64}…")


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ("", "plan: is empty; write growing shares in percent"),
        ("1,,100", "plan: '1,,100' has an empty step; write growing shares in percent"),
        ("1,half,100", "plan: 'half' in '1,half,100' is not a share above 0 and up to 100; write growing shares"),
    ],
)
def test_a_plan_that_cannot_be_read_says_which_step(plan, says):
    with pytest.raises(InvalidInput) as caught:
        steps_of(plan)
    assert str(caught.value).startswith(says)


async def test_a_name_of_any_length_is_not_echoed_whole(client):
    answer = await client.post("/v1/predict", json={"text": "x", "n" * 50_000: 1})
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "n" * 64
    assert len(answer.content) < 1000


async def test_an_unknown_query_parameter_is_answered_with_the_permitted_ones(client):
    error = (await client.get("/v1/texts?cursor=abc")).json()["error"]
    assert error["message"] == (
        "cursor: is not known here; permitted are label, source, topic, author, model_version, created_from, "
        "created_to, search, limit, after"
    )
    broken = (await client.get("/v1/texts?after=%25")).json()["error"]
    assert broken["message"].startswith("after: is not from this list; pass the `next` of the page before")


@pytest.mark.parametrize(
    ("method", "path", "body", "name"),
    [
        ("PUT", "/v1/split", '{"versions": {"a": 7, "b": 7, "a": 8}}', "a"),
        ("POST", "/v1/rollouts", '{"version": 8, "version": 9}', "version"),
        ("POST", "/v1/predict", '{"text": "I love it", "text": "I hate it"}', "text"),
        ("POST", "/v1/predict/batch", '{"items": [{"text": "fine"}, {"text": "x", "id": "a", "id": "b"}]}', "id"),
        ("PUT", "/v1/split", '{"versions": {"a": 7, "\\u0061": 8}}', "a"),
    ],
)
async def test_a_name_that_stands_twice_is_refused_and_no_value_is_lost(client, method, path, body, name):
    answer = await client.request(method, path, content=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["field"]) == (422, name)
    assert error["message"] == f"{name}: appears twice in one object; give each name one value"


async def test_a_name_that_stands_twice_in_a_line_of_a_stream_spoils_its_own_line_only(client):
    lines = '{"text": "fine"}\n{"text": "a", "text": "b"}\n{"text": "fine"}'
    answers = [json.loads(line) for line in (await client.post("/v1/predict/stream", content=lines)).text.splitlines()]
    assert [answer.get("error", {}).get("field") for answer in answers] == [None, "lines.1.text", None]
    assert answers[1]["error"]["message"] == "lines.1.text: appears twice in one object; give each name one value"


@pytest.mark.parametrize("inputs", [3, [1], [["a"], 3], [["a"], [3]], None])
async def test_tei_inputs_of_another_shape_are_told_the_three_that_are_read(client, inputs):
    answer = await client.post("/predict", json={"inputs": inputs})
    assert answer.status_code == 422
    assert answer.json()["error"] == (
        "inputs: must be a string, an array of one or two strings, or an array of such arrays"
    )


async def test_a_conflict_names_the_id(client):
    await client.post("/v1/predict", json={"text": "I love it", "id": "a1"})
    answer = await client.post("/v1/predict", json={"text": "I hate it", "id": "a1"})
    assert (answer.status_code, answer.json()["error"]["field"]) == (409, "id")


async def test_what_is_wrong_with_a_text_of_a_batch_or_a_stream_names_its_place(client):
    await client.post("/v1/predict", json={"text": "I love it", "id": "a1"})
    items = [{"text": "fine"}, {"text": " "}, {"text": "I hate it", "id": "a1"}, 7]
    batch = (await client.post("/v1/predict/batch", json={"items": items})).json()["results"]
    texts = (await client.post("/v1/predict/batch", json={"texts": ["fine", " "]})).json()["results"]
    lines = [json.dumps(item) for item in items] + ["x" * 50_000]
    stream = (await client.post("/v1/predict/stream", content="\n".join(lines))).text.splitlines()
    assert [row["error"]["field"] for row in batch[1:]] == ["items.1.text", "items.2.id", "items.3"]
    assert batch[3]["error"]["message"] == "items.3: must be a string, or an object with a text"
    assert [row["error"]["field"] for row in texts[1:]] == ["texts.1.text"]
    fields = [json.loads(line)["error"]["field"] for line in stream[1:]]
    assert fields == ["lines.1.text", "lines.2.id", "lines.3", "lines.4"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/healthz", "GET, HEAD, OPTIONS"),
        ("GET", "/predict", "OPTIONS, POST"),
        ("PUT", "/v1/texts/a", "DELETE, GET, HEAD, OPTIONS"),
        ("POST", "/static-offline-docs/swagger-ui.css", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_method_that_a_path_does_not_take_is_answered_with_those_that_it_does(client, method, path, allowed):
    answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
