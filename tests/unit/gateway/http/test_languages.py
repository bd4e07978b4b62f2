"""Each way to an answer tells the text's language, and says of a text that the model cannot read that it cannot."""

from __future__ import annotations

import json

import pytest

from tests.unit.gateway.fake_parts import FakeParts, client_of

PRIOR = {"negative": 0.3, "neutral": 0.4, "positive": 0.3}


@pytest.fixture
def parts() -> FakeParts:
    return FakeParts()


@pytest.fixture
async def client(parts: FakeParts):
    async with client_of(parts) as client:
        yield client


def _says_unsupported(body: dict) -> None:
    assert (body["language"], body["supported"]) == ("de", False)
    assert (body["label"], body["score"], body["sentiment"]) == ("neutral", 0.4, 0.0)
    assert (body["verdict"], body["probabilities"]) == ("Unsupported", PRIOR)


async def test_a_text_that_the_model_reads_has_a_language_and_is_supported(client):
    body = (await client.post("/v1/predict", json={"text": "I love it"})).json()
    assert (body["language"], body["supported"], body["verdict"]) == ("en", True, "Positive")


async def test_a_text_that_it_cannot_read_is_neutral_and_says_so(client):
    _says_unsupported((await client.post("/v1/predict", json={"text": "I love it fremd"})).json())


async def test_an_answer_from_the_cache_says_so_too(client, parts):
    for _ in range(2):
        _says_unsupported((await client.post("/v1/predict", json={"text": "love fremd"})).json())
    assert len(parts.classified) == 1


async def test_batch_and_stream_say_it_in_each_texts_place(client):
    batch = await client.post("/v1/predict/batch", json={"texts": ["love", "love fremd"]})
    lines = b'{"text": "love"}\n{"text": "love fremd"}\n'
    stream = await client.post("/v1/predict/stream", content=lines, headers={"Content-Type": "application/x-ndjson"})
    for results in (batch.json()["results"], [json.loads(line) for line in stream.text.splitlines()]):
        assert [result["supported"] for result in results] == [True, False]
        _says_unsupported(results[1])


async def test_clients_of_tei_get_the_prior(client):
    answer = await client.post("/predict", json={"inputs": "love fremd"})
    assert [(row["label"], row["score"]) for row in answer.json()] == [
        ("neutral", 0.4),
        ("positive", 0.3),
        ("negative", 0.3),
    ]


async def test_an_explanation_says_it(client):
    body = (await client.post("/v1/explain", json={"text": "love fremd"})).json()
    assert (body["language"], body["supported"], body["verdict"]) == ("de", False, "Unsupported")
    body = (await client.post("/v1/explain", json={"text": "love"})).json()
    assert (body["language"], body["supported"]) == ("en", True)


async def test_a_kept_text_says_it_until_a_person_labels_it(client, parts):
    await client.post("/v1/predict", json={"text": "love fremd", "id": "t-1"})
    kept = (await client.get("/v1/texts/t-1")).json()
    _says_unsupported(kept)
    await client.patch("/v1/texts/t-1/sentiment", json={"label": "positive"})
    kept = (await client.get("/v1/texts/t-1")).json()
    assert (kept["label"], kept["verdict"]) == ("positive", "Extremely Positive")
    assert (kept["language"], kept["supported"]) == ("de", True)


async def test_a_text_without_an_answer_has_no_language_yet(client):
    await client.post("/v1/texts", json={"text": "love fremd", "id": "t-2"})
    kept = (await client.get("/v1/texts/t-2")).json()
    assert (kept["label"], kept["verdict"], kept["language"], kept["supported"]) == (None, None, None, True)
