"""Routes for operators: liveness, readiness, metrics, the model versions."""

from __future__ import annotations

import time
from collections.abc import Callable

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from serve_app.edge_contract import instance_headers
from serve_app.gateway.backend import Backend
from serve_app.gateway.http.body import json_response
from serve_app.gateway.http.errors import ERRORS
from serve_app.gateway.http.guard import require
from serve_app.gateway.http.routes.health import ModelHealth
from serve_app.gateway.http.schemas.texts import ModelsOut, ReadyOut, TeiErrorOut

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def operation_routes(backend: Backend, instance: Callable[[], str]) -> APIRouter:
    """Build the routes; `instance` returns the id of the platform's start."""
    router = APIRouter(tags=["operations"], responses=ERRORS)
    health = ModelHealth(backend.model_answers, time.monotonic)

    @router.get("/healthz", response_class=PlainTextResponse)
    async def healthz() -> Response:
        """Answer that the gateway is alive; a header names the start of the platform that it belongs to."""
        return PlainTextResponse("alive\n", headers=instance_headers(instance()))

    @router.get(
        "/health",
        response_class=Response,
        responses={200: {"description": "the model answers"}, 503: {"model": TeiErrorOut}},
    )
    async def model_health() -> Response:
        """Return whether the model answers, as Text Embeddings Inference does; it is probed at most once a second."""
        if await health.is_well():
            return Response()
        return json_response({"error": "unhealthy", "error_type": "Unhealthy"}, 503)

    @router.get("/readyz", response_model=ReadyOut, responses={503: {"model": ReadyOut}})
    async def readyz(request: Request) -> Response:
        """Make a real prediction, which is not stored, and return the state of each part."""
        require(request.scope, "read")
        ready, parts = await backend.readiness()
        return json_response({"ready": ready, "parts": parts}, 200 if ready else 503)

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics(request: Request) -> Response:
        """Return the metrics of all replicas of this node, for Prometheus."""
        require(request.scope, "read")
        return Response(await backend.metrics(), media_type=_PROMETHEUS)

    @router.get("/v1/models", response_model=ModelsOut)
    async def models(request: Request) -> Response:
        """List the registered model versions, oldest first, with the state of each on this platform."""
        require(request.scope, "read")
        return json_response({"models": await backend.models()})

    return router
