"""Errors as HTTP answers: one shape, the right status, the field and the remedy, and no internal details."""

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
#: Most characters of a client's name that a message repeats.
LONGEST_NAME: Final = 64
_MOST_PROBLEMS: Final = 5
_JSON: Final = "application/json"

#: The schemas' patterns in words.
_RULES: Final = {
    CURSOR_PATTERN: "is not from this list; pass the `next` of the page before, or leave it out",
    ID_PATTERN: f"must have {ID_RULE}",
    PRINTABLE_PATTERN: "must hold no line breaks or other control characters",
}


class HttpError(UndertoneError):
    """An error that exists only in HTTP: a body that is too large, a missing key, a method that is not allowed."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(status, code, message, field)
        self.status, self.code, self.field = status, code, field

    def __str__(self) -> str:
        return str(self.args[2])


#: Status and code of each class; a subclass comes before its base.
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
    """Return the status and the `ErrorBody` of an error; an unexpected one reveals nothing.

    `place` is the text's place in the request (`items.4`), if it is one of several.
    """
    if isinstance(error, HttpError):
        return error.status, _body(error.code, str(error), error.field)
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return status, _body(code, _message(error, status), _field_of(error, place))
    message = "an internal error; whoever runs the platform finds it in the gateway's log under the request's id"
    return _UNFORESEEN, _body("internal", message, None)


def error_response(error: Exception, request_id: str) -> Response:
    """Return the answer to a request that failed with `error`; an unexpected error is logged."""
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
    """Translate pydantic's problems with `schema`: the field is the first one's, the message lists up to five."""
    return worded(error.errors(include_url=False), ", ".join(_names(schema)), prefix)


def _names(schema: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in schema.model_fields.items()]


def worded(problems: Sequence[ErrorDetails], permitted: str = "", prefix: str = "") -> InvalidInput:
    """Return pydantic's problems as one error in plain words, at most five; `permitted` lists the known fields."""
    texts = [in_words(problem, permitted=permitted, rules=_RULES) for problem in problems[:_MOST_PROBLEMS]]
    fields = [_path(problem["loc"], prefix) for problem in problems]
    return InvalidInput("; ".join(f"{field}: {text}" for field, text in zip(fields, texts, strict=False)), fields[0])


def _path(location: tuple[int | str, ...], prefix: str) -> str:
    # The name of an unknown field is the client's and may be long. Pydantic marks an error in a name itself by `[key]`.
    names = [str(name)[:LONGEST_NAME] for name in location if name != "[key]"]
    return ".".join([prefix, *names] if prefix else names) or "body"


def _message(error: UndertoneError, status: int) -> str:
    """Return an error's message; in one of the server's own (5xx), files are named without their folders."""
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
    400: "the request is not valid HTTP, or its compressed body cannot be decompressed",
    401: "there is no valid key",
    403: "the key lacks the scope, or the caller is not on this machine",
    404: "it does not exist",
    409: "the id names another text, or the rollout's state does not allow it",
    413: "the body is too large",
    415: "the body's encoding is not supported",
    422: "a field is wrong; the error names it",
    429: "there is more work than capacity; Retry-After says when to try again",
    503: "a part is down; Retry-After says when to try again",
    504: "the deadline has passed",
}
Responses = dict[int | str, dict[str, Any]]


def _described(schema: type[BaseModel]) -> Responses:
    return {status: {"model": schema, "description": meaning} for status, meaning in _MEANINGS.items()}


#: Statuses that the guard answers, in the shape of all routes.
_BY_THE_GUARD: Final = (401, 403, 504)
ERRORS: Final = _described(ErrorOut)
TEI_ERRORS: Final[Responses] = {**_described(TeiErrorOut), **{status: ERRORS[status] for status in _BY_THE_GUARD}}
