"""Judging a model on test sets: by a function, by the predictor's shape of answers, and over HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from sentiment.errors import Unavailable
from train_jobs.shipped_model.corpus_benchmark import (
    TestSet,
    chunks,
    evaluate_all,
    figures_of_test_set,
    flatten,
    from_api,
    table,
)
from train_jobs.shipped_model.readers import LabelledText

_ANSWERS = {"awful": (0.8, 0.1, 0.1), "so so": (0.2, 0.7, 0.1), "nice": (0.1, 0.5, 0.4), "great": (0.0, 0.1, 0.9)}
_THREE = [LabelledText("awful", 0), LabelledText("so so", 1), LabelledText("nice", 2), LabelledText("great", 2)]
_TWO = [LabelledText("awful", 0, two_class=True), LabelledText("nice", 2, two_class=True)]


def _classify(texts: Sequence[str]) -> NDArray[np.float64]:
    return np.array([_ANSWERS[text] for text in texts])


def test_three_class_sets_are_judged_by_the_likeliest_label() -> None:
    figures = figures_of_test_set(_THREE, _classify([row.text for row in _THREE]))
    assert figures["accuracy"] == pytest.approx(0.75)
    assert figures["macro_recall"] == pytest.approx((1 + 1 + 0.5) / 3)
    assert figures["recall_positive"] == pytest.approx(0.5)


def test_two_class_sets_are_judged_by_the_sign_of_sentiment_even_where_neutral_leads() -> None:
    figures = figures_of_test_set(_TWO, _classify([row.text for row in _TWO]))
    assert figures["accuracy"] == 1.0
    assert figures["called_neutral"] == 0.5


def test_a_text_of_several_sets_is_classified_once() -> None:
    asked: list[str] = []

    def classify(texts: Sequence[str]) -> NDArray[np.float64]:
        asked.extend(texts)
        return _classify(texts)

    figures = evaluate_all([TestSet("all", _THREE), TestSet("some", _TWO), TestSet("none", [])], classify)
    assert sorted(asked) == sorted(_ANSWERS)
    assert list(figures) == ["all", "some"]


def test_figures_become_flat_names_and_a_table_in_percent() -> None:
    figures = evaluate_all([TestSet("all", _THREE)], _classify)
    assert flatten(figures)["all_macro_recall"] == 0.83333
    assert "| all | 4 | 83.33 | 75.00 |" in table(figures)


def test_requests_are_cut_by_texts_and_by_characters() -> None:
    assert [len(chunk) for chunk in chunks(["a"] * 2500)] == [1000, 1000, 500]
    assert [len(chunk) for chunk in chunks(["a" * 25_000] * 5)] == [2, 2, 1]


def test_the_api_is_asked_in_batches_and_read_by_label() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/predict/batch"
        rows = [dict(zip(("negative", "neutral", "positive"), _ANSWERS[text], strict=True)) for text in _texts(request)]
        return httpx.Response(200, json={"results": [{"probabilities": row} for row in rows]})

    client = httpx.Client(base_url="http://platform", transport=httpx.MockTransport(answer))
    assert from_api(client)(["great", "awful"]).tolist() == [[0.0, 0.1, 0.9], [0.8, 0.1, 0.1]]


def test_an_api_that_refuses_is_reported_as_unavailable() -> None:
    client = httpx.Client(base_url="http://platform", transport=httpx.MockTransport(lambda _: httpx.Response(503)))
    with pytest.raises(Unavailable, match="did not answer 1 texts"):
        from_api(client)(["great"])


def _texts(request: httpx.Request) -> list[str]:
    texts: list[str] = json.loads(request.content)["texts"]
    return texts
