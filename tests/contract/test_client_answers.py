"""An answer stands in three places: as it is written, as the API's document has it, and as the client reads it."""

from __future__ import annotations

from typing import get_type_hints

import pytest

from sentiment.client.answers import Answer, AnsweringModel, ExplainedAnswer, FeedbackItem, Item, Problem, RefusedItem
from sentiment.records import Explanation
from serve_app.gateway.http import rendering
from serve_app.gateway.http.schemas import feedback, texts
from serve_app.gateway.prediction.answer import Prediction, Timing

CLIENT = [
    (Item, texts.TextIn),
    (FeedbackItem, feedback.FeedbackIn),
    (Answer, texts.PredictionOut),
    (AnsweringModel, texts.PredictionOut.model_fields["model"].annotation),
    (ExplainedAnswer, texts.ExplanationOut),
    (Problem, texts.ErrorBody),
    (RefusedItem, texts.ItemErrorOut),
]
LABELS, SHARES = ("negative", "neutral", "positive"), (0.1, 0.2, 0.7)
PREDICTION = Prediction("a-1", LABELS, SHARES, False, "sentiment", 3, Timing(1.0, 2.0, 3.0, 6.0))
EXPLANATION = Explanation(
    ["so", "good"], [0.0, 0.5], "positive", 0.6, dict(zip(LABELS, SHARES, strict=True)), False, "sentiment", 3
)
WRITTEN = [
    (rendering.prediction_out(PREDICTION), texts.PredictionOut),
    (rendering.explanation_out(EXPLANATION), texts.ExplanationOut),
]


@pytest.mark.parametrize(("shape", "document"), CLIENT, ids=lambda each: each.__name__)
def test_the_client_knows_the_fields_of_the_document_and_no_others(shape, document):
    assert get_type_hints(shape).keys() == document.model_fields.keys()


@pytest.mark.parametrize(("written", "document"), WRITTEN, ids=["prediction", "explanation"])
def test_what_is_written_is_what_the_document_says(written, document):
    assert document.model_validate(written).model_dump(mode="json", exclude_unset=True) == written
