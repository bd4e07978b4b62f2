"""What is kept beside a text over HTTP: its topics, where it comes from, who gave feedback; masked as the text is."""

from __future__ import annotations

import pytest

from tests.unit.gateway.fake_parts import FakeParts, client_of

#: What a client sends, and what is kept of it.
NAMES = {
    "user": ("@john", "@user"),
    "mail address": ("john.doe@example.com/inbox", "[email]"),
    "spelt mail address": ("john dot doe at gmail dot com", "[email]"),
    "phone number": ("0170 1234567", "[phone]"),
    "run of digits": ("4155550134", "[phone]"),
    "link": ("https://example.com/john", "http"),
    "among words": ("ticket of @john", "ticket of @user"),
    "zero width": ("twit\u200bter", "twitter"),
    "word": ("twitter", "twitter"),
    "words": ("support team 7", "support team 7"),
}
EVERY_NAME = pytest.mark.parametrize(("sent", "kept"), NAMES.values(), ids=NAMES)
NOTHING = pytest.mark.parametrize("sent", ["\u200b", " ", "\u3164\u2800", "&shy;"])


@pytest.fixture
def parts() -> FakeParts:
    return FakeParts()


@pytest.fixture
async def client(parts: FakeParts):
    async with client_of(parts) as client:
        yield client


@EVERY_NAME
@pytest.mark.parametrize("door", ["/v1/predict", "/v1/texts", "/v1/predict/batch"])
async def test_topics_and_sources_are_kept_masked_and_found_by_what_was_sent(client, parts, door, sent, kept):
    text = {"text": "I love it", "id": "a1", "topics": [sent], "source": sent}
    answer = await client.post(door, json={"items": [text]} if door.endswith("batch") else text)
    assert answer.status_code in (200, 201)
    record = parts.store.get("a1")
    assert (record.topics, record.source) == ((kept,), kept)
    for name in ("topic", "source"):
        for value in (sent, kept):
            listed = await client.get("/v1/texts", params={name: value})
            assert [each["id"] for each in listed.json()["texts"]] == ["a1"]


@EVERY_NAME
async def test_the_source_of_feedback_is_kept_masked(client, parts, sent, kept):
    await client.post("/v1/predict", json={"text": "meh", "id": "f-1"})
    answer = await client.post("/v1/feedback", json={"id": "f-1", "label": "negative", "source": sent})
    assert answer.json()["source"] == kept
    assert [word.source for word in parts.store.get("f-1").feedback] == [kept]


@NOTHING
@pytest.mark.parametrize(
    ("door", "fields", "field"),
    [
        ("/v1/predict", {"text": "meh", "topics": ["food", "{}"]}, "topics.1"),
        ("/v1/texts", {"text": "meh", "topics": ["{}"]}, "topics.0"),
        ("/v1/predict", {"text": "meh", "source": "{}"}, "source"),
        ("/v1/feedback", {"id": "f-1", "label": "negative", "source": "{}"}, "source"),
    ],
)
async def test_a_topic_or_a_source_of_which_nothing_is_visible_is_refused(client, parts, door, fields, field, sent):
    filled = {
        name: [each.replace("{}", sent) for each in value] if isinstance(value, list) else value.replace("{}", sent)
        for name, value in fields.items()
    }
    answer = await client.post(door, json=filled)
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    assert "nothing of it is visible" in answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ["topic", "source"])
async def test_a_filter_of_which_nothing_is_visible_is_refused(client, name):
    answer = await client.get("/v1/texts", params={name: "\u200b"})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, name)


async def test_one_bad_topic_of_a_batch_spoils_its_own_item_only(client):
    items = [{"text": "I love it", "topics": ["\u200b"]}, {"text": "I hate it", "topics": ["food"]}]
    bad, good = (await client.post("/v1/predict/batch", json={"items": items})).json()["results"]
    assert (bad["error"]["field"], good["label"]) == ("items.0.topics.0", "negative")


async def test_a_phone_number_in_a_hashtag_is_no_topic(client, parts):
    for number, text in enumerate(["#01701234567 bad", "#5551234567 bad", "#0170-1234567 bad", "#call01701234567 bad"]):
        await client.post("/v1/predict", json={"text": text, "id": f"h-{number}"})
        record = parts.store.get(f"h-{number}")
        assert not any(character.isdigit() for topic in (*record.topics, record.text) for character in topic)


async def test_a_long_hashtag_is_a_topic_by_its_first_64_characters(client, parts):
    await client.post("/v1/predict", json={"text": "#" + "ab" * 40, "id": "h-1"})
    assert parts.store.get("h-1").topics == ("ab" * 32,)
