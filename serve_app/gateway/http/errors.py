"""Errors as HTTP answers: one shape, the right status, the field and the remedy, nothing of the inside."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, to_json
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
from sentiment.identifiers import ID_PATTERN, ID_RULE
from sentiment.redaction import without_folders
from sentiment.validation_messages import in_words
from serve_app.gateway.http.schemas.names import PRINTABLE_PATTERN
from serve_app.gateway.http.schemas.texts import CURSOR_PATTERN, ErrorOut, TeiErrorOut

logger = logging.getLogger(__name__)

_UNFORESEEN: Final = 500
#: Characters that are repeated of a name that a client sent.
LONGEST_NAME: Final = 64
_MOST_PROBLEMS: Final = 5
_JSON: Final = "application/json"

#: The schemas' patterns in words.
_RULES: Final = {
    CURSOR_PATTERN: "is no place in the list; pass the `next` of the page before, or leave it out",
    ID_PATTERN: f"must have {ID_RULE}",
    PRINTABLE_PATTERN: "must hold no line breaks or other control characters",
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


def status_and_body(error: Exception, place: str = "") -> tuple[int, dict[str, Any]]:
    """Return the status and the `ErrorBody` of an error; what nobody raised on purpose says nothing of itself.

    `place` is where in the request the text stands (`items.4`), if it is one of several.
    """
    if isinstance(error, HttpError):
        return error.status, _body(error.code, str(error), error.field)
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return status, _body(code, _message(error, status), _field_of(error, place))
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


def invalid_input(error: ValidationError, schema: type[BaseModel], prefix: str = "") -> InvalidInput:
    """Translate what pydantic found against `schema`: the first names the field, the message lists them all."""
    return worded(error.errors(include_url=False), ", ".join(_names(schema)), prefix)


def _names(schema: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in schema.model_fields.items()]


def worded(found: Sequence[ErrorDetails], permitted: str = "", prefix: str = "") -> InvalidInput:
    """Say in words what pydantic found, at most five of it; `permitted` lists the fields that there are."""
    texts = [in_words(problem, permitted=permitted, rules=_RULES) for problem in found[:_MOST_PROBLEMS]]
    fields = [_path(problem["loc"], prefix) for problem in found]
    return InvalidInput("; ".join(f"{field}: {text}" for field, text in zip(fields, texts, strict=False)), fields[0])


def _path(location: tuple[int | str, ...], prefix: str) -> str:
    # A client may send any name as an unknown field's; pydantic calls a name that is wrong itself `[key]`.
    names = [str(name)[:LONGEST_NAME] for name in location if name != "[key]"]
    return ".".join([prefix, *names] if prefix else names) or "body"


def _message(error: UndertoneError, status: int) -> str:
    """Return what an error says; one of ours names a file without its folders, a client's repeats what was sent."""
    message = str(error)
    if status < _UNFORESEEN:
        return message
    public = without_folders(message)
    if public != message:
        logger.warning("answered %d: %s", status, message)
    return public


def _field_of(error: UndertoneError, place: str) -> str | None:
    field = getattr(error, "field", None)
    return f"{place}.{field}" if field and place else field or None


def _body(code: str, message: str, field: str | None) -> dict[str, Any]:
    return {"code": code, "message": message, "field": field}


#: The error answers that every route documents.
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
