"""Routes that answer with sentiment: one text, a batch, a stream, an explanation."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sentiment.errors import InvalidInput
from sentiment.records import RawText
from serve_app.edge_contract import STREAM_PATH
from serve_app.gateway.backend import Backend
from serve_app.gateway.http.arrival import Arrivals
from serve_app.gateway.http.body import described, item_of, json_response, read, within_limit
from serve_app.gateway.http.errors import ERRORS, status_and_body
from serve_app.gateway.http.guard import require
from serve_app.gateway.http.rendering import explanation_out, prediction_out
from serve_app.gateway.http.routes.preference import preference_of, steered
from serve_app.gateway.http.routes.streaming import NdjsonResponse
from serve_app.gateway.http.schemas.texts import (
    BatchIn,
    BatchOut,
    ExplainIn,
    ExplanationOut,
    PredictionOut,
    TextIn,
)
from serve_app.gateway.prediction.answer import Prediction


def predict_routes(backend: Backend, *, max_items: int, max_characters: int) -> APIRouter:
    """Build the routes."""
    router = APIRouter(tags=["predict"])
    arrivals = Arrivals(backend.secret)

    @router.post("/v1/predict", response_model=PredictionOut, responses=ERRORS, openapi_extra=_TEXT)
    async def predict(request: Request) -> Response:
        """Return the sentiment of one text, and store it."""
        require(request.scope, "predict")
        preference = preference_of(request)
        [raw] = arrivals.named(request, [within_limit((await read(request, TextIn)).raw(), max_characters)])
        return json_response(prediction_out(await backend.predict(raw, preference)))

    @router.post("/v1/predict/batch", response_model=BatchOut, responses=ERRORS, openapi_extra=_BATCH)
    async def predict_batch(request: Request) -> Response:
        """Return the sentiments of up to 1,000 texts, in order, and store them; a bad one gets an error instead."""
        require(request.scope, "predict")
        preference = preference_of(request)
        field, items = _items_of(await read(request, BatchIn), max_items)
        checked = [item_of(item, f"{field}.{index}", max_characters) for index, item in enumerate(items)]
        raws = arrivals.named(request, [raw for raw in checked if isinstance(raw, RawText)])
        answers = iter(await backend.service.predict(raws, bulk=True, preference=preference))
        results = [
            _result(raw, raw if isinstance(raw, InvalidInput) else next(answers), f"{field}.{index}")
            for index, raw in enumerate(checked)
        ]
        return json_response({"results": results})

    @router.post(STREAM_PATH, status_code=200, responses=ERRORS, openapi_extra=_NDJSON, response_class=NdjsonResponse)
    async def predict_stream(request: Request) -> Response:
        """Answer lines of JSON, each an object as in `/v1/predict`, in order, for as long as lines come.

        Read answers while you send lines: reading stops after 256 lines whose answers you have not taken.
        """
        require(request.scope, "predict")
        preference = preference_of(request)
        backend.service.check(preference)
        return NdjsonResponse(backend.service, max_characters, preference, arrivals)

    @router.post("/v1/explain", response_model=ExplanationOut, responses=ERRORS, openapi_extra=_EXPLAIN)
    async def explain(request: Request) -> Response:
        """Return which words moved the answer, by leaving out one word at a time (64 words at most)."""
        require(request.scope, "predict")
        preference = preference_of(request)
        raw = within_limit(RawText((await read(request, ExplainIn)).text), max_characters)
        return json_response(explanation_out(await backend.explain(raw.text, preference)))

    return router


_NDJSON = steered(
    {"requestBody": {"required": False, "content": {"application/x-ndjson": {"schema": {"type": "string"}}}}}
)
_TEXT, _BATCH, _EXPLAIN = (steered(described(schema)) for schema in (TextIn, BatchIn, ExplainIn))


def _items_of(batch: BatchIn, max_items: int) -> tuple[str, list[Any]]:
    lists = [(name, items) for name, items in (("texts", batch.texts), ("items", batch.items)) if items is not None]
    if len(lists) != 1:
        raise InvalidInput("texts: give either texts or items, not both or neither", "texts")
    field, items = lists[0]
    if not 1 <= len(items) <= max_items:
        raise InvalidInput(f"{field} has {len(items)} entries, 1 to {max_items} are allowed", field)
    return field, items


def _result(raw: RawText | InvalidInput, answer: Prediction | Exception, place: str) -> dict[str, Any]:
    if isinstance(raw, InvalidInput):  # its message names the place already
        return {"error": status_and_body(raw)[1], "id": None}
    if isinstance(answer, Exception):
        return {"error": status_and_body(answer, place)[1], "id": raw.id}
    return prediction_out(answer)
