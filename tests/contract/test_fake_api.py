"""The fake API that clients are tested against answers in the shapes that the real one's document promises."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from serve_app.gateway.http.schemas.rollouts import RolloutOut
from serve_app.gateway.http.schemas.texts import BatchOut, ErrorOut, ExplanationOut, ModelsOut, PredictionOut
from tests.fake_api import FakeApi

ANSWERS: list[tuple[type[BaseModel], str, str, Any]] = [
    (PredictionOut, "POST", "/v1/predict", {"text": "great"}),
    (PredictionOut, "POST", "/v1/predict", {"text": "fremd"}),
    (BatchOut, "POST", "/v1/predict/batch", {"items": [{"text": "great"}, {"text": ""}]}),
    (ExplanationOut, "POST", "/v1/explain", {"text": "so great"}),
    (ModelsOut, "GET", "/v1/models", None),
    (RolloutOut, "POST", "/v1/rollouts", {"version": 8}),
    (RolloutOut, "GET", "/v1/rollouts/current", None),
    (ErrorOut, "POST", "/v1/predict", {"text": ""}),
    (ErrorOut, "GET", "/v1/nothing", None),
]


@pytest.fixture(scope="module")
def client():
    with httpx.Client(transport=httpx.WSGITransport(app=FakeApi()), base_url="http://fake") as client:
        yield client


@pytest.mark.parametrize(("shape", "method", "path", "body"), ANSWERS)
def test_an_answer_of_the_fake_has_the_fields_of_the_real_one_and_no_others(client, shape, method, path, body):
    answer = client.request(method, path, json=body).json()
    read = shape.model_validate(answer)
    assert read.model_dump(mode="json", exclude_unset=True) == answer
