"""Errors as HTTP answers: one shape, the right status, the field and the remedy, nothing of the inside."""

from __future__ import annotations

import logging
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import to_json
from starlette.responses import Response

from sentiment.errors import (
    Conflict,
    DeadlineExceeded,
    InvalidInput,
    ModelRejected,
    NotFound,
    Overloaded,
    Unavailable,
    UndertoneError,
)

logger = logging.getLogger(__name__)

_UNFORESEEN: Final = 500
_JSON: Final = "application/json"

#: What pydantic says in the terms of Python, in those of JSON.
_PLAIN: Final = {
    "model_type": "must be an object",
    "string_unicode": "half of a surrogate pair stands alone; send whole characters",
}


class HttpError(UndertoneError):
    """An error that exists in HTTP only: a body too large, a key that is missing, a method not allowed."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(status, code, message, field)
        self.status, self.code, self.field = status, code, field

    def __str__(self) -> str:
        return str(self.args[2])


#: Statuses and codes by class, the most special first.
_STATUS: Final[tuple[tuple[type[UndertoneError], int, str], ...]] = (
    (InvalidInput, 422, "invalid_input"),
    (NotFound, 404, "not_found"),
    (Conflict, 409, "conflict"),
    (Overloaded, 429, "overloaded"),
    (DeadlineExceeded, 504, "deadline_exceeded"),
    (Unavailable, 503, "unavailable"),
    (ModelRejected, 503, "unavailable"),
)


def status_and_body(error: Exception) -> tuple[int, dict[str, Any]]:
    """Return the status and the `ErrorBody` of an error; what nobody raised on purpose says nothing of itself."""
    if isinstance(error, HttpError):
        return error.status, _body(error.code, str(error), error.field)
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return status, _body(code, str(error), getattr(error, "field", None) or None)
    return _UNFORESEEN, _body("internal", "something failed on our side; the log has it under the request's id", None)


def error_response(error: Exception, request_id: str) -> Response:
    """Return the answer to a request that failed with `error`; one that nobody raised on purpose is logged."""
    status, body = status_and_body(error)
    if status == _UNFORESEEN:
        logger.error("request %s failed", request_id, exc_info=error)
    headers = {}
    if status in (429, 503):
        headers["Retry-After"] = str(max(1, round(getattr(error, "retry_after_s", 1.0))))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(to_json({"error": body, "request_id": request_id}), status, headers, _JSON)


def invalid_input(error: ValidationError, prefix: str = "") -> InvalidInput:
    """Translate pydantic's findings: the first one names the field, the message lists all of them."""
    found = error.errors(include_url=False)[:5]
    problems = [(_path(problem["loc"], prefix), _PLAIN.get(problem["type"], problem["msg"])) for problem in found]
    message = "; ".join(f"{field or 'body'}: {text[0].lower()}{text[1:]}" for field, text in problems)
    return InvalidInput(message, problems[0][0])


def _path(location: tuple[int | str, ...], prefix: str) -> str:
    return ".".join([prefix, *map(str, location)] if prefix else map(str, location))


def _body(code: str, message: str, field: str | None) -> dict[str, Any]:
    return {"code": code, "message": message, "field": field}
