"""The middleware around all routes: request ids, keys, body limits, deadlines, and one place that answers errors."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentiment.access.keys import key_id
from sentiment.errors import DeadlineExceeded, InvalidInput
from sentiment.identifiers import ID_PATTERN, ID_RULE, new_id
from serve_app.edge_contract import STREAM_PATH
from serve_app.gateway.http.cors import CrossOrigin
from serve_app.gateway.http.decoding import DecodedBody, decoder_of
from serve_app.gateway.http.errors import HttpError, error_response
from serve_app.gateway.http.paths import as_meant, is_head

_REQUEST_ID = re.compile(ID_PATTERN)
_PORT = re.compile(r":\d+$")
_LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_ADMIN_PATHS: Final = ("/v1/rollouts", "/v1/split")
_OPEN_PATHS: Final = frozenset({"/health", "/healthz"})

#: Gets the route, the status and the milliseconds of an answer.
Observe = Callable[[str, int, float], None]
#: Returns the methods that a request's path takes; empty for an unknown path.
MethodsOf = Callable[[Scope], list[str]]


class KeyLookup(Protocol):
    """Looks up API keys."""

    async def scopes_of(self, token: str) -> frozenset[str] | None:
        """Return the scopes of a key, or None for one that is unknown, expired or revoked."""


@dataclass(frozen=True)
class RequestLimits:
    """Limits of one request."""

    max_body_bytes: int
    deadline_ms: float


@dataclass(eq=False)
class Guard:
    """Wraps the application."""

    app: ASGIApp
    keys: KeyLookup
    needs_key: bool
    """Whether a key is needed. On loopback it is not, and local programs have all scopes.

    A web page of another site gets nothing even there, unless `cross_origin` permits its Origin; nor does a request
    whose Host is not this machine.
    """
    limits: RequestLimits
    observe: Observe
    adds_request_id: bool
    """Whether to put X-Request-Id on answers; Ray Serve does it by itself."""
    cross_origin: CrossOrigin
    methods_of: MethodsOf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection, as ASGI defines it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope = as_meant(scope)
        exchange = _Exchange(scope, receive, send, self)
        try:
            exchange.check_request_id()
            answer = self._say_methods if scope["method"] == "OPTIONS" else self._answer
            await answer(scope, exchange)
        except TimeoutError:
            message = "the request took longer than its deadline; send less, or a longer X-Deadline-Ms"
            await exchange.fail(DeadlineExceeded(message))
        except ClientDisconnect:
            pass  # there is nobody to answer: the status stays 499
        except Exception as exc:  # noqa: BLE001 - the one place that answers errors
            await exchange.fail(exc)
        finally:
            self.observe(_route_of(scope), exchange.status, exchange.elapsed_ms)

    async def _answer(self, scope: Scope, exchange: _Exchange) -> None:
        await self._admit(scope, exchange.headers)
        exchange.inflate()
        async with asyncio.timeout(self._deadline_s(scope, exchange.headers)):
            await self.app(scope, exchange.receive, exchange.send)

    async def _say_methods(self, scope: Scope, exchange: _Exchange) -> None:
        """Answer OPTIONS, without a key too: a browser asks before it sends one."""
        methods = self.methods_of(scope)
        if not methods:
            raise HttpError(404, "not_found", f"the API has no {scope['path']}; /docs lists all routes")
        await self.cross_origin.options(exchange.headers, methods)(scope, exchange.receive, exchange.send)

    async def _admit(self, scope: Scope, headers: Headers) -> None:
        if scope["path"] in _OPEN_PATHS:
            return
        if self.needs_key:
            token = headers.get("authorization", "").partition(" ")[2].strip()
            scope["scopes"] = await self._scopes(headers, scope_of(scope["method"], scope["path"]))
            scope["key_id"] = key_id(token)
        elif stranger := self._stranger(headers):
            message = (
                "without a key this API only answers programs on this machine, and pages of the origins in "
                "UNDERTONE_CORS_ORIGINS"
            )
            raise HttpError(403, "forbidden", message, stranger)

    def _stranger(self, headers: Headers) -> str | None:
        """Return the header that names another machine than this one, None if none does."""
        origin = headers.get("origin")
        page = origin.partition("://")[2] if origin and not self.cross_origin.permits(origin) else "localhost"
        names = {"Host": headers.get("host", "localhost"), "Origin": page}
        return next((header for header, name in names.items() if _PORT.sub("", name) not in _LOOPBACK_NAMES), None)

    async def _scopes(self, headers: Headers, needed: str) -> frozenset[str]:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        scopes = await self.keys.scopes_of(token.strip()) if scheme.lower() == "bearer" and token else None
        if scopes is None:
            remedy = (
                f"send a valid key as 'Authorization: Bearer KEY'; 'undertone keys add NAME --scope {needed}' makes one"
            )
            raise HttpError(401, "unauthorized", remedy, "Authorization")
        return scopes

    def _deadline_s(self, scope: Scope, headers: Headers) -> float | None:
        if scope["path"] == STREAM_PATH:
            return None
        deadline = headers.get("x-deadline-ms")
        return min(self.limits.deadline_ms, _milliseconds(deadline) if deadline else self.limits.deadline_ms) / 1000


class _Exchange:
    """One request and its answer: it limits the body, adds the request's id, and records the status."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, guard: Guard) -> None:
        self.headers = Headers(scope=scope)
        self.status = 499
        self._guard = guard
        self._sent_id = self.headers.get("x-request-id")
        self.request_id = self._sent_id or new_id()
        scope["request_id"] = self.request_id
        self._scope, self._receive, self._send = scope, receive, send
        self.receive: Receive = self._counted
        self._limit = None if scope["path"] == STREAM_PATH else guard.limits.max_body_bytes
        self._received_bytes = 0
        self._started = time.perf_counter()
        self._answering = False

    @property
    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self._started) * 1000

    def check_request_id(self) -> None:
        if self._sent_id and not _REQUEST_ID.match(self._sent_id):
            self.request_id = new_id()
            raise InvalidInput(f"X-Request-Id: must have {ID_RULE}", "X-Request-Id")

    def inflate(self) -> None:
        """Decompress the body while it is read. Raises HttpError: 415, a stream's encoding is not supported."""
        encodings = self.headers.getlist("content-encoding")
        if encodings:
            if self._limit is None:  # checked now, since a stream's answer begins before its body is read
                decoder_of(encodings, is_stream=True)
            self.receive = DecodedBody(self._counted, encodings, self._limit)

    async def _counted(self) -> Message:
        if self._limit is not None and not self._received_bytes:
            self._check(int(self.headers.get("content-length") or 0))
        message = await self._receive()
        self._received_bytes += len(message.get("body", b""))
        self._check(self._received_bytes)
        return message

    def _check(self, size: int) -> None:
        if self._limit is not None and size > self._limit:
            message = f"the body has more than {self._limit} bytes; send fewer texts in a request, or stream them"
            raise HttpError(413, "too_large", message, "body")

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._answering = True
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            if self._guard.adds_request_id:
                headers["X-Request-Id"] = self.request_id
            headers["X-Content-Type-Options"] = "nosniff"
            self._guard.cross_origin.mark(headers, self.headers.get("origin"))
        elif is_head(self._scope):
            message = {**message, "body": b""}
        await self._send(message)

    async def fail(self, error: Exception) -> None:
        if self._answering:  # the status is sent already: only a closed connection can show the error
            raise error
        await error_response(error, self.request_id)(self._scope, self._receive, self.send)


def scope_of(method: str, path: str) -> str:
    """Return the scope that a request needs, for the message to a caller without a key; `require` enforces scopes."""
    if method in ("GET", "HEAD"):
        return "read"
    return "admin" if method == "DELETE" or path.startswith(_ADMIN_PATHS) else "predict"


def require(scope: Mapping[str, object], needed: str) -> None:
    """Check that the request's key has the scope `needed`; on loopback without keys everything is allowed.

    Raises:
        HttpError: 403, the key lacks the scope, which the message names.
    """
    scopes = scope.get("scopes")
    if isinstance(scopes, frozenset) and needed not in scopes:
        remedy = f"this key lacks the scope {needed!r}; 'undertone keys add NAME --scope {needed}' makes one with it"
        raise HttpError(403, "forbidden", remedy, "Authorization")


def _milliseconds(value: str) -> float:
    try:
        milliseconds = float(value)
    except ValueError:
        milliseconds = -1.0
    if not 0 < milliseconds < float("inf"):
        raise InvalidInput("X-Deadline-Ms: must be a positive number of milliseconds", "X-Deadline-Ms")
    return milliseconds


def _route_of(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "other")
