"""Answers as the JSON of the schemas, in plain dicts, since this is the hot path."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sentiment.labels import verdict_of
from sentiment.records import Explanation, TextRecord
from serve_app.gateway.prediction.answer import Prediction


def prediction_out(prediction: Prediction) -> dict[str, Any]:
    """Return the JSON of an answer (a `PredictionOut`)."""
    sentiment, timing = prediction.sentiment, prediction.timing
    return {
        "id": prediction.id,
        "label": prediction.label,
        "score": round(prediction.score, 6),
        "sentiment": round(sentiment, 6),
        "verdict": verdict_of(sentiment, is_supported=prediction.supported),
        "probabilities": _rounded(dict(zip(prediction.labels, prediction.probabilities, strict=True))),
        "model": {"name": prediction.model, "version": prediction.version},
        "truncated": prediction.truncated,
        "language": prediction.language,
        "supported": prediction.supported,
        "timing_ms": {
            "queue": round(timing.queue, 2),
            "preprocess": round(timing.preprocess, 2),
            "inference": round(timing.inference, 2),
            "total": round(timing.total, 2),
        },
    }


def explanation_out(explanation: Explanation) -> dict[str, Any]:
    """Return the JSON of an explanation (an `ExplanationOut`)."""
    return {
        "words": explanation.words,
        "weights": [round(weight, 6) for weight in explanation.weights],
        "label": explanation.label,
        "sentiment": round(explanation.sentiment, 6),
        "verdict": verdict_of(explanation.sentiment, is_supported=explanation.supported),
        "probabilities": _rounded(explanation.probabilities),
        "truncated": explanation.truncated,
        "language": explanation.language,
        "supported": explanation.supported,
        "model": {"name": explanation.model, "version": explanation.version},
    }


def text_out(record: TextRecord) -> dict[str, Any]:
    """Return the JSON of a stored text (a `TextOut`)."""
    versioned = record.model is not None and record.model_version is not None
    return {
        "id": record.id,
        "text": record.text,
        "created_at": iso(record.created_at_ms),
        "received_at": iso(record.received_at_ms),
        "source": record.source,
        "author": record.author_key,
        "topics": list(record.topics),
        "label": record.label,
        "score": record.score,
        "sentiment": record.sentiment,
        "verdict": None if record.sentiment is None else verdict_of(record.sentiment, is_supported=record.supported),
        "probabilities": None if record.probabilities is None else _rounded(dict(record.probabilities)),
        "truncated": record.truncated,
        "language": record.language,
        "supported": record.supported,
        "model": {"name": record.model, "version": record.model_version} if versioned else None,
        "labelled_at": None if record.labelled_at_ms is None else iso(record.labelled_at_ms),
        "labelled_by": record.labelled_by,
        "feedback": [{"source": word.source, "label": word.label, "at": iso(word.at_ms)} for word in record.feedback],
    }


def _rounded(probabilities: dict[str, float]) -> dict[str, float]:
    return {label: round(value, 6) for label, value in probabilities.items()}


def iso(epoch_ms: int) -> str:
    """Return a time as ISO 8601 in UTC."""
    seconds, milliseconds = divmod(epoch_ms, 1000)
    return datetime.fromtimestamp(seconds, tz=UTC).replace(tzinfo=None).isoformat() + f".{milliseconds:03d}Z"
