"""Routes of ingests: start one, watch them, let them pause and go on."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from sentiment.errors import NotFound
from serve_app.gateway.http.body import described, json_response, read
from serve_app.gateway.http.errors import ERRORS
from serve_app.gateway.http.guard import require
from serve_app.gateway.http.schemas.ingests import INGEST_NAME_PATTERN, IngestIn, IngestOut, IngestsOut
from serve_app.ingest.api import Ingests
from serve_app.ingest.ledger import DesiredState

_COMMANDS: Final = {"start": DesiredState.RUNNING, "pause": DesiredState.PAUSED, "stop": DesiredState.STOPPED}
_Name = Annotated[str, Path(json_schema_extra={"pattern": INGEST_NAME_PATTERN})]
_Command = Annotated[str, Path(json_schema_extra={"enum": list(_COMMANDS)})]


def ingest_routes(ingests: Ingests) -> APIRouter:
    """Build the routes."""
    router = APIRouter(tags=["ingests"], responses=ERRORS)

    @router.post(
        "/v1/ingests",
        status_code=201,
        response_model=IngestOut,
        responses={200: {"model": IngestOut, "description": "the ingest exists already and continues where it was"}},
        openapi_extra=described(IngestIn),
    )
    async def start(request: Request) -> Response:
        """Send the texts of a file or a feed through the platform, in the background; one that is there goes on."""
        require(request.scope, "predict")
        body = await read(request, IngestIn)
        record, is_new = await ingests.start(body.request(), restart=body.restart)
        return json_response(record, 201 if is_new else 200)

    @router.get("/v1/ingests", response_model=IngestsOut)
    async def all_ingests(request: Request) -> Response:
        """List the ingests, those of command lines of this machine included, by name."""
        require(request.scope, "read")
        return json_response({"ingests": await ingests.all()})

    @router.get("/v1/ingests/{name}", response_model=IngestOut)
    async def one_ingest(request: Request, name: _Name) -> Response:
        """Return one ingest."""
        require(request.scope, "read")
        return json_response(await ingests.get(name))

    @router.post("/v1/ingests/{name}/{command}", response_model=IngestOut)
    async def command(request: Request, name: _Name, command: _Command) -> Response:
        """Let an ingest start, pause or stop; it goes on where it was."""
        require(request.scope, "predict")
        if command not in _COMMANDS:
            raise NotFound(f"an ingest has no command {command[:32]!r}: use one of {', '.join(_COMMANDS)}")
        return json_response(await ingests.command(name, _COMMANDS[command]))

    return router
