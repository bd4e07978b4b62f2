"""Who answers and who is listened to, over the HTTP interface of a whole platform: split, pins, shadow, feedback."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.running_rollouts import PATIENCE_S, Rollouts, wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SPLIT = "X-Undertone-Split"


@pytest.fixture(scope="module")
def other(rollouts: Rollouts, tmp_path_factory: pytest.TempPathFactory) -> int:
    """A version that turns "love" round, registered and not loaded."""
    return rollouts.register(tmp_path_factory.mktemp("steered") / "swapped", swapped_word="love")


@pytest.fixture(scope="module")
def client(rollouts: Rollouts) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=rollouts.platform.url, timeout=60) as client:
        yield client


def predict(client: httpx.Client, text: str, query: str = "", **headers: str) -> dict[str, Any]:
    answer = client.post(f"/v1/predict{query}", json={"text": text}, headers=headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def eventually(told: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not wanted(seen := told()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.3)
    return seen


def test_a_split_and_a_pin_choose_the_version_and_its_end_unloads_it(rollouts, champion, other, client):
    refused = client.post(f"/v1/predict?model={other}", json={"text": "hello"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")
    assert client.put("/v1/split", json={"versions": {"a": champion, "b": other}}).status_code == 200
    wait_for(lambda: rollouts.loaded() == {champion, other}, PATIENCE_S)
    eventually(lambda: predict(client, "hello", **{SPLIT: "b"}), lambda body: body["model"]["version"] == other)
    assert predict(client, "hello", **{SPLIT: "a"})["model"]["version"] == champion
    assert {predict(client, f"hello {n}")["model"]["version"] for n in range(20)} == {champion}
    assert predict(client, "hello", f"?model={other}")["model"]["version"] == other
    client.put("/v1/split", json={"versions": {}})
    wait_for(lambda: rollouts.loaded() == {champion}, PATIENCE_S)


def test_feedback_in_the_shadow_tells_the_versions_apart_and_an_abort_ends_it(rollouts, champion, other, client):
    lenient = {"rollouts_max_disagreement": 0.9, "rollouts_max_flips": 0.9}
    rollouts.start(other, rollouts.settings.model_copy(update=lenient), plan="shadow,100", hold_s=600)
    eventually(lambda: client.get("/v1/rollouts/current").json(), lambda told: told["state"] == "shadow")

    def seen() -> dict[str, Any]:
        answer = predict(client, f"I love it, number {time.monotonic_ns()}")
        assert answer["model"]["version"] == champion
        said = {"id": answer["id"], "label": answer["label"], "source": "test"}
        assert client.post("/v1/feedback", json=said).status_code == 200
        body: dict[str, Any] = client.get("/v1/rollouts/current").json()
        return body

    told = eventually(seen, lambda told: told["numbers"]["labelled"] >= 5 and told["compared"]["disagreed"] >= 5)
    assert told["numbers"]["only_champion_right"] == told["numbers"]["labelled"]
    assert told["numbers"]["only_challenger_right"] == 0
    assert told["compared"]["disagreed"] == told["compared"]["compared"]
    assert "I love it, number" in told["compared"]["examples"][0]["text"]
    shown = (r'undertone_traffic_shadow\{.*version="', r'undertone_mirrored_total\{.*result="disagreed"')
    eventually(
        lambda: client.get("/metrics").text,  # Ray collects them every few seconds
        lambda text: all(re.search(line, text) for line in shown),
    )
    asked = client.post("/v1/rollouts/current/abort")  # or the judgement, which reads the same counts, was faster
    assert asked.status_code == 200, asked.text
    was_first = asked.json()["asked"] == "abort"
    assert was_first or asked.json()["state"] in ("aborting", "aborted"), asked.text
    eventually(lambda: client.get("/v1/rollouts/current").json(), lambda told: told["state"] == "aborted")
    reason = client.get("/v1/rollouts").json()["rollouts"][0]["reason"]
    assert reason == "asked to abort" if was_first else re.search(r"worse|opposite labels", reason)
    wait_for(lambda: rollouts.loaded() == {champion}, PATIENCE_S)
