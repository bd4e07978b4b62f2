"""`POST /predict`, and `POST /`, in the shape of Text Embeddings Inference, so that its clients work unchanged."""

from __future__ import annotations

import math
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sentiment.errors import InvalidInput, UndertoneError
from sentiment.records import RawText
from serve_app.gateway.backend import Backend
from serve_app.gateway.http.arrival import Arrivals
from serve_app.gateway.http.body import described, json_response, read, within_limit
from serve_app.gateway.http.errors import TEI_ERRORS, HttpError, status_and_body
from serve_app.gateway.http.guard import require
from serve_app.gateway.http.routes.preference import preference_of
from serve_app.gateway.http.schemas.texts import TeiIn, TeiScore
from serve_app.gateway.prediction.answer import Prediction

#: TEI's `error_type` by status.
_ERROR_TYPES = {
    400: "Validation",
    413: "Validation",
    415: "Validation",
    422: "Tokenizer",
    429: "Overloaded",
    503: "Unhealthy",
    504: "Backend",
}


_Scores = list[TeiScore] | list[list[TeiScore]]
_INPUTS = described(TeiIn)


def tei_routes(backend: Backend, *, max_items: int, max_characters: int) -> APIRouter:
    """Build the routes; TEI serves classifiers under `/` too."""
    router = APIRouter(tags=["predict"])
    arrivals = Arrivals(backend.secret)

    @router.post("/", response_model=_Scores, responses=TEI_ERRORS, openapi_extra=_INPUTS)
    @router.post("/predict", response_model=_Scores, responses=TEI_ERRORS, openapi_extra=_INPUTS)
    async def predict(request: Request) -> Response:
        """Return the labels of one text, or of each of several (`[["one"], ["two"]]`), likeliest first."""
        require(request.scope, "predict")
        try:
            preference = preference_of(request)
            body = await read(request, TeiIn)
            texts, single = _texts_of(body, max_items)
            checked = [within_limit(RawText(text), max_characters, "inputs") for text in texts]
            raws = arrivals.named(request, checked)
            answers = await backend.service.predict(raws, bulk=not single, preference=preference)
            scores = [_scores(answer, body) for answer in answers]
            return json_response(scores[0] if single else scores)
        except UndertoneError as exc:
            return _error(exc)

    return router


def _texts_of(body: TeiIn, max_items: int) -> tuple[list[str], bool]:
    inputs = body.inputs
    if isinstance(inputs, str):
        return [_filled(inputs)], True
    if inputs and isinstance(inputs[0], str):
        return [_joined(inputs)], True
    if not 1 <= len(inputs) <= max_items:
        raise InvalidInput(f"inputs has {len(inputs)} entries, 1 to {max_items} are allowed", "inputs")
    return [_joined(sequence) for sequence in inputs], False


def _joined(sequence: Any) -> str:
    if not 1 <= len(sequence) <= 2:
        raise InvalidInput("inputs: an entry must be [text] or [text, text]", "inputs")
    return _filled(" ".join(sequence))


def _filled(text: str) -> str:
    if not text:
        raise InvalidInput("inputs: must not be empty", "inputs")
    return text


def _scores(answer: Prediction | Exception, body: TeiIn) -> list[dict[str, Any]]:
    if isinstance(answer, InvalidInput):
        raise InvalidInput(f"inputs: {str(answer).removeprefix('text: ')}", "inputs") from answer
    if isinstance(answer, Exception):
        raise answer
    if answer.truncated and not body.truncate:
        raise HttpError(413, "too_large", "inputs: longer than the model reads; send truncate=true to cut it", "inputs")
    pairs = sorted(zip(answer.probabilities, answer.labels, strict=True), reverse=True)
    return [{"score": math.log(max(p, 1e-12)) if body.raw_scores else p, "label": label} for p, label in pairs]


def _error(error: UndertoneError) -> Response:
    status, body = status_and_body(error)
    kind = _ERROR_TYPES.get(status, "Backend")
    response = json_response({"error": body["message"], "error_type": kind}, status)
    if status in (429, 503):
        response.headers["Retry-After"] = "1"
    return response
