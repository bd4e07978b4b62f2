"""What an answer of the HTTP API means: its JSON, the error that it tells, and when to come back."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import httpx

from sentiment.errors import (
    Conflict,
    DeadlineExceeded,
    InvalidInput,
    KeyRefused,
    NotFound,
    Overloaded,
    Unavailable,
    UndertoneError,
)

_BY_STATUS: Final[dict[int, type[UndertoneError]]] = {
    404: NotFound,
    409: Conflict,
    503: Unavailable,
    504: DeadlineExceeded,
}
_KEY_REMEDY: Final = "give --api-key or UNDERTONE_API_KEY; `undertone keys add NAME --scope {scope}` makes one."
_SCOPE: Final = re.compile(r"--scope (\w+)")
_INVALID: Final = (400, 405, 411, 413, 415, 422)


def decoded(content: bytes | str) -> Any:
    """Return an answer's JSON. Raises UndertoneError: it is none."""
    try:
        return json.loads(content)
    except ValueError as exc:
        raise UndertoneError("The answer is not JSON: is this the address of an Undertone API?") from exc


def raise_for(response: httpx.Response) -> None:
    """Raise the error that an answer tells, if it does."""
    if response.is_success:
        return
    status, error = response.status_code, _error_of(response)
    message = str(error.get("message") or f"{response.url} answered {status} {response.reason_phrase}.")
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise Overloaded(message, retry_after_s(response))
    if status in _INVALID:
        raise InvalidInput(message, str(error.get("field") or ""))
    scope_match = _SCOPE.search(message)  # the API names the scope that the route needs; a proxy's answer does not
    if status == httpx.codes.UNAUTHORIZED:
        scope = scope_match[1] if scope_match else "predict"
        raise KeyRefused(f"{response.url.host} asks for a valid key: {_KEY_REMEDY.format(scope=scope)}", scope)
    if status == httpx.codes.FORBIDDEN and scope_match:  # without a scope, the key is not the reason
        raise KeyRefused(message, scope_match[1], is_known=True)
    raise _BY_STATUS.get(status, UndertoneError)(message)


def _error_of(response: httpx.Response) -> dict[str, Any]:
    try:
        error = response.json().get("error")
    except (ValueError, AttributeError):  # a proxy's own page
        return {}
    return error if isinstance(error, dict) else {}


def retry_after_s(response: httpx.Response) -> float:
    """Return after how long to try again, in seconds."""
    header = response.headers.get("Retry-After", "")
    return float(header) if header.isdecimal() else 1.0
