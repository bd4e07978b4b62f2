"""Which version a request asks for: `?model=8`, the header X-Undertone-Split, or its API key."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from sentiment.errors import InvalidInput
from serve_app.gateway.http.body import described_query, read_query
from serve_app.routing.router import Preference

SPLIT_HEADER: Final = "X-Undertone-Split"
_LONGEST_VALUE: Final = 64


class PreferenceQuery(BaseModel):
    """The query parameters of the routes that predict."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[int, Field(ge=1, le=2**31)] | None = Field(None, description="the version that is to answer")


def preference_of(request: Request) -> Preference:
    """Return what a request says about the version that is to answer.

    Raises:
        InvalidInput: a query parameter or the header is wrong.
    """
    version = read_query(request, PreferenceQuery).model if request.scope["query_string"] else None
    split = request.headers.get(SPLIT_HEADER)
    if split is not None and not 1 <= len(split) <= _LONGEST_VALUE:
        raise InvalidInput(f"{SPLIT_HEADER}: must have 1 to {_LONGEST_VALUE} characters", SPLIT_HEADER)
    return Preference(version, split, request.scope.get("key_id"))


def steered(description: dict[str, Any]) -> dict[str, Any]:
    """Add the query to the OpenAPI description of a route."""
    return {**description, **described_query(PreferenceQuery)}
