"""The route that takes feedback on stored texts."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from serve_app.gateway.backend import Backend
from serve_app.gateway.http.body import described, json_response, read
from serve_app.gateway.http.errors import ERRORS
from serve_app.gateway.http.guard import require
from serve_app.gateway.http.rendering import iso
from serve_app.gateway.http.schemas.rollouts import FeedbackIn, FeedbackOut


def feedback_routes(backend: Backend) -> APIRouter:
    """Build the route."""
    router = APIRouter(tags=["feedback"], responses=ERRORS)

    @router.post("/v1/feedback", response_model=FeedbackOut, openapi_extra=described(FeedbackIn))
    async def feedback(request: Request) -> Response:
        """Say what a stored text's label truly is. Its own label stays; a source's later word replaces its earlier."""
        require(request.scope, "predict")
        said = await read(request, FeedbackIn)
        at_ms = await backend.add_feedback(said.id, said.label, said.source)
        return json_response({"id": said.id, "label": said.label, "source": said.source, "at": iso(at_ms)})

    return router
