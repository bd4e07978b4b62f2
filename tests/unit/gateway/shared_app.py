"""One HTTP application for all tests with equal settings: building one takes as long as fifty requests to it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from sentiment.settings import Settings
from serve_app.gateway.backend import Backend
from serve_app.gateway.http.app import build_http_app
from serve_app.gateway.http.guard import KeyLookup
from serve_app.insight.api import IndexQueries


@dataclass(frozen=True, eq=False)
class _Behind:
    """What one test has behind the application."""

    backend: Backend
    keys: KeyLookup
    index: IndexQueries | None


_BEHIND: Final[ContextVar[_Behind]] = ContextVar("what is behind the application that answers a request")


class _Late:
    """Stands for an object that is known once a request comes: that of the test which sent it."""

    def __init__(self, of: Callable[[_Behind], Any]) -> None:
        self._of = of

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of(_BEHIND.get()), name)


class _LateBackend(_Late):
    """A backend's parts that routes take when they are built."""

    def __init__(self, secret: bytes) -> None:
        super().__init__(lambda behind: behind.backend)
        self.secret, self.store = secret, _Late(lambda behind: behind.backend.store)

    def now_ms(self) -> int:
        now_ms: int = self._of(_BEHIND.get()).now_ms()
        return now_ms

    async def model_answers(self) -> bool:
        raise AssertionError("GET /health remembers answers: give the test its own application by shares_app=False")


@cache
def _built(settings_json: str, secret: bytes, has_index: bool) -> FastAPI:
    settings = Settings.model_validate_json(settings_json)
    backend, keys, index = _LateBackend(secret), _Late(lambda behind: behind.keys), _Late(lambda behind: behind.index)
    return own_app(backend, keys, index if has_index else None, settings)


def own_app(backend: Any, keys: Any, index: Any, settings: Settings) -> FastAPI:
    """Build an application for this backend alone."""
    needs_key = not settings.on_loopback
    return build_http_app(backend, keys, settings, lambda *_: None, needs_key=needs_key, index=index)


class SharedApp:
    """An application that may serve other tests too, with what this one has behind it."""

    def __init__(self, backend: Backend, keys: KeyLookup, index: IndexQueries | None, settings: Settings) -> None:
        self._behind = _Behind(backend, keys, index)
        self._app = _built(settings.model_dump_json(), backend.secret, index is not None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = _BEHIND.set(self._behind)
        try:
            await self._app(scope, receive, send)
        finally:
            _BEHIND.reset(token)
