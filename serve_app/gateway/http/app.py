"""Builds the HTTP application around a backend."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, APIRouter
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from sentiment.ingest import ingests_folder
from sentiment.settings import Settings
from serve_app.gateway.backend import Backend
from serve_app.gateway.http.cors import CrossOrigin
from serve_app.gateway.http.errors import HttpError, error_response, worded
from serve_app.gateway.http.guard import Guard, KeyLookup, Observe, RequestLimits
from serve_app.gateway.http.paths import methods_of
from serve_app.gateway.http.routes.feedback import feedback_routes
from serve_app.gateway.http.routes.ingests import ingest_routes
from serve_app.gateway.http.routes.insights import insight_routes
from serve_app.gateway.http.routes.operations import operation_routes
from serve_app.gateway.http.routes.predict import predict_routes
from serve_app.gateway.http.routes.rollouts import rollout_routes
from serve_app.gateway.http.routes.tei import tei_routes
from serve_app.gateway.http.routes.texts import text_routes
from serve_app.ingest.api import Ingests
from serve_app.ingest.ledger import IngestLedger
from serve_app.insight.api import IndexQueries, Insights
from serve_app.rollout.api import Rollouts

_CODES = {404: "not_found", 405: "method_not_allowed"}


def build_http_app(
    backend: Backend,
    keys: KeyLookup,
    settings: Settings,
    observe: Observe,
    *,
    needs_key: bool,
    adds_request_id: bool = True,
    instance: Callable[[], str] = str,
    index: IndexQueries | None = None,
) -> FastAPI:
    """Return the application: all routes behind the guard. `observe(route, status, ms)` is called for every answer.

    `instance` returns the id of the platform's start, if there is one. `index` asks the insight index.
    """
    # The page at /docs brings its own scripts: it works without the internet, and no other server sees its readers.
    app = FastAPIOffline(
        redoc_url=None,
        title="Undertone",
        version=version("undertone"),
        summary="How people feel, live.",
        redirect_slashes=False,  # the guard removes the slash
    )
    limits = {"max_items": settings.max_batch_items, "max_characters": settings.max_text_characters}
    predict = predict_routes(backend, **limits)
    app.include_router(predict)
    serve_directly(app, predict, "/v1/predict", "/v1/predict/batch")
    app.include_router(tei_routes(backend, **limits))
    app.include_router(text_routes(backend, max_characters=settings.max_text_characters))
    app.include_router(feedback_routes(backend, max_items=settings.max_batch_items))
    app.include_router(rollout_routes(Rollouts(backend.store, settings, backend.now_ms)))
    files = settings.ingest_files or settings.home / "files"
    app.include_router(ingest_routes(Ingests(IngestLedger(ingests_folder(settings)), files)))
    app.include_router(insight_routes(Insights(index, backend.store)))
    app.include_router(operation_routes(backend, instance))
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(
        Guard,
        keys=keys,
        needs_key=needs_key,
        limits=RequestLimits(settings.max_body_bytes, settings.deadline_ms),
        observe=observe,
        adds_request_id=adds_request_id,
        cross_origin=CrossOrigin(settings.permitted_origins),
        methods_of=lambda scope: methods_of(app.routes, scope),
    )
    return app


async def _refused(request: Request, exc: Exception) -> Response:
    refusal = cast("HTTPException", exc)
    allowed = ", ".join(methods_of(request.app.routes, request.scope)) if refusal.status_code == 405 else ""
    problem = f"the API has no {request.scope['sent_method']} {request.url.path}"
    remedy = f"the path takes {allowed}" if allowed else "/docs lists all routes"
    error = HttpError(refusal.status_code, _CODES.get(refusal.status_code, "refused"), f"{problem}; {remedy}")
    response = error_response(error, request.scope["request_id"])
    if allowed:
        response.headers["Allow"] = allowed
    return response


async def _invalid(request: Request, exc: Exception) -> Response:
    problems = cast("RequestValidationError", exc).errors()
    return error_response(worded(problems), request.scope["request_id"])


class DirectRoute(Route):
    """A plain route that puts itself into the scope, as FastAPI's do, for the guard's metrics."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as any route does."""
        match, child = super().matches(scope)
        return match, {**child, "route": self}


def serve_directly(app: FastAPI, router: APIRouter, *paths: str) -> None:
    """Serve the router's routes of these paths without FastAPI's work around them, which costs time.

    They must take the bare request and return a response. FastAPI's own routes stay for the OpenAPI document.
    """
    for route in router.routes:
        if isinstance(route, APIRoute) and route.path in paths:
            direct = DirectRoute(
                route.path, route.endpoint, methods=sorted(route.methods or ()), include_in_schema=False
            )
            app.router.routes.insert(0, direct)
