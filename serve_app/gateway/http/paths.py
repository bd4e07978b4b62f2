"""Paths and methods: a slash at a path's end is ignored, and a route with GET has HEAD and OPTIONS too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.routing import BaseRoute, Match, Mount
from starlette.types import Scope

_METHODS: Final = ("DELETE", "GET", "PATCH", "POST", "PUT")


def as_meant(scope: Scope) -> Scope:
    """Return a request as the routes expect it: `/v1/predict/` becomes `/v1/predict`, HEAD becomes GET (`is_head`)."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    method = scope["method"]
    meant = {**scope, "sent_method": method, "method": "GET" if method == "HEAD" else method}
    if raw.endswith(b"/"):  # an escaped slash is part of a name
        meant |= {"path": scope["path"].rstrip("/") or "/", "raw_path": raw.rstrip(b"/") or b"/"}
    return meant


def is_head(scope: Scope) -> bool:
    """Whether the request was sent with HEAD."""
    return bool(scope["sent_method"] == "HEAD")


def methods_of(routes: Sequence[BaseRoute], scope: Scope) -> list[str]:
    """Return the methods that a request's path takes, sorted; empty for an unknown path."""
    whole = {**scope, "root_path": scope.get("app_root_path", scope.get("root_path", ""))}  # a mount shortens it
    methods = {method for method in _METHODS if _takes(routes, {**whole, "method": method})}
    if "GET" in methods:
        methods.add("HEAD")
    return sorted(methods | {"OPTIONS"}) if methods else []


def _takes(routes: Sequence[BaseRoute], scope: Scope) -> bool:
    """Whether a route answers the request. A folder of files matches every method but answers GET only."""
    return any(
        route.matches(scope)[0] is Match.FULL and (scope["method"] == "GET" or not isinstance(route, Mount))
        for route in routes
    )
