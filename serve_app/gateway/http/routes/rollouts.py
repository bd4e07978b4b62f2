"""Routes of rollouts: start one, watch it, steer it; and of the fixed split."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from sentiment.errors import NotFound
from serve_app.gateway.http.body import described, described_query, json_response, read, read_query
from serve_app.gateway.http.errors import ERRORS
from serve_app.gateway.http.guard import require
from serve_app.gateway.http.schemas.rollouts import (
    CommandQuery,
    RolloutIn,
    RolloutOut,
    RolloutsOut,
    RolloutsQuery,
    SplitIn,
    SplitOut,
)
from serve_app.rollout.api import Rollouts
from serve_app.rollout.policy.record import Command

_COMMANDS: Final = tuple(command.value for command in Command)
_Command = Annotated[str, Path(json_schema_extra={"enum": list(_COMMANDS)})]


def rollout_routes(rollouts: Rollouts) -> APIRouter:
    """Build the routes."""
    router = APIRouter(tags=["rollouts"], responses=ERRORS)

    @router.post(
        "/v1/rollouts",
        status_code=201,
        response_model=RolloutOut,
        responses={200: {"model": RolloutOut, "description": "the same request has started it already"}},
        openapi_extra=described(RolloutIn),
    )
    async def start(request: Request) -> Response:
        """Start the rollout of a version. Only one runs at a time; the same request again is answered 200."""
        require(request.scope, "admin")
        body = await read(request, RolloutIn)
        record, is_new = await rollouts.start(body.request())
        return json_response(record, 201 if is_new else 200)

    @router.get("/v1/rollouts", response_model=RolloutsOut, openapi_extra=described_query(RolloutsQuery))
    async def history(request: Request) -> Response:
        """List rollouts, the newest first, a page at a time, with the moments at which traffic moved."""
        require(request.scope, "read")
        query = read_query(request, RolloutsQuery)
        records, following = await rollouts.history(query.limit, query.after)
        return json_response({"rollouts": records, "next": following})

    @router.get("/v1/rollouts/current", response_model=RolloutOut)
    async def current(request: Request) -> Response:
        """Return the rollout under way, or the last one."""
        require(request.scope, "read")
        return json_response(await rollouts.current())

    @router.post(
        "/v1/rollouts/current/{command}", response_model=RolloutOut, openapi_extra=described_query(CommandQuery)
    )
    async def command(request: Request, command: _Command) -> Response:
        """Pause the rollout, resume it, promote it to its next step now, or abort it and go back to the champion."""
        require(request.scope, "admin")
        if command not in _COMMANDS:
            raise NotFound(f"{command[:32]!r} is not a command of a rollout; the commands are {', '.join(_COMMANDS)}")
        return json_response(await rollouts.command(Command(command), read_query(request, CommandQuery).stage))

    @router.get("/v1/split", response_model=SplitOut)
    async def split(request: Request) -> Response:
        """Return the fixed split."""
        require(request.scope, "read")
        return json_response({"versions": await rollouts.split()})

    @router.put("/v1/split", response_model=SplitOut, openapi_extra=described(SplitIn))
    async def put_split(request: Request) -> Response:
        """Set the version of each value of the header X-Undertone-Split, or id of an API key; empty ends the split."""
        require(request.scope, "admin")
        versions = (await read(request, SplitIn)).versions
        await rollouts.put_split(versions)
        return json_response({"versions": versions})

    return router
