"""The error answers that every route documents."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from serve_app.gateway.http.schemas import ErrorOut, TeiErrorOut

_MEANINGS: Final = {
    400: "not a request that HTTP allows, or a compressed body that cannot be inflated",
    401: "no valid key",
    403: "the key lacks the scope, or the caller is not of this machine",
    404: "no such thing",
    409: "the id names another text, or a rollout cannot do that now",
    413: "too large",
    415: "an encoding that is not read",
    422: "a field is wrong; the error names it",
    429: "more work than capacity; Retry-After says when",
    503: "a part is down; Retry-After says when",
    504: "the deadline passed",
}
Responses = dict[int | str, dict[str, Any]]


def _described(schema: type[BaseModel]) -> Responses:
    return {status: {"model": schema, "description": meaning} for status, meaning in _MEANINGS.items()}


#: Statuses that are answered before or around a route, in the shape that all routes share.
_BY_THE_GUARD: Final = (401, 403, 504)
ERRORS: Final = _described(ErrorOut)
TEI_ERRORS: Final[Responses] = {**_described(TeiErrorOut), **{status: ERRORS[status] for status in _BY_THE_GUARD}}
