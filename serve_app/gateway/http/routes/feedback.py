"""The routes that take feedback on stored texts: of one, of many."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from sentiment.errors import InvalidInput
from serve_app.gateway.backend import Backend
from serve_app.gateway.http.body import described, json_response, read
from serve_app.gateway.http.errors import ERRORS, invalid_input, status_and_body
from serve_app.gateway.http.guard import require
from serve_app.gateway.http.rendering import iso
from serve_app.gateway.http.schemas.feedback import FeedbackBatchIn, FeedbackBatchOut, FeedbackIn, FeedbackOut


def feedback_routes(backend: Backend, *, max_items: int) -> APIRouter:
    """Build the routes."""
    router = APIRouter(tags=["feedback"], responses=ERRORS)

    @router.post("/v1/feedback", response_model=FeedbackOut, openapi_extra=described(FeedbackIn))
    async def feedback(request: Request) -> Response:
        """Store the true label of a stored text. The model's label stays; each source's last label counts."""
        require(request.scope, "predict")
        body = await read(request, FeedbackIn)
        at_ms = await backend.add_feedback(body.id, body.label, body.source)
        return json_response({"id": body.id, "label": body.label, "source": body.source, "at": iso(at_ms)})

    @router.post("/v1/feedback/batch", response_model=FeedbackBatchOut, openapi_extra=described(FeedbackBatchIn))
    async def feedback_batch(request: Request) -> Response:
        """Store the true labels of up to 1,000 stored texts; a bad item gets an error in its place."""
        require(request.scope, "predict")
        items = (await read(request, FeedbackBatchIn)).items
        if not 1 <= len(items) <= max_items:
            raise InvalidInput(f"items has {len(items)} entries, 1 to {max_items} are allowed", "items")
        checked = [_feedback_of(item, f"items.{place}") for place, item in enumerate(items)]
        valid = [item for item in checked if isinstance(item, FeedbackIn)]
        answers = iter(await backend.add_feedback_batch([(item.id, item.label, item.source) for item in valid]))
        results = [
            _result(item, item if isinstance(item, InvalidInput) else next(answers), f"items.{place}")
            for place, item in enumerate(checked)
        ]
        return json_response({"results": results})

    return router


def _feedback_of(item: Any, field: str) -> FeedbackIn | InvalidInput:
    """Return one item of a batch, or its error, which names `field`."""
    if not isinstance(item, dict):
        return InvalidInput(f"{field}: must be an object with id, label and source", field)
    try:
        return FeedbackIn.model_validate(item)
    except ValidationError as exc:
        return invalid_input(exc, FeedbackIn, field)


def _result(item: FeedbackIn | InvalidInput, answer: int | Exception, place: str) -> dict[str, Any]:
    if isinstance(item, InvalidInput):  # its message names the place already
        return {"error": status_and_body(item)[1], "id": None}
    if isinstance(answer, Exception):
        return {"error": status_and_body(answer, place)[1], "id": item.id}
    return {"id": item.id, "label": item.label, "source": item.source, "at": iso(answer)}
