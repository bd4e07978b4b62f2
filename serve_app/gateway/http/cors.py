"""Which web pages of other sites may call the API from a browser (CORS), and the headers that tell the browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from sentiment.access.origins import ANY_ORIGIN, EXPOSED_HEADERS
from serve_app.gateway.http.errors import HttpError

#: Request headers that a page may send beyond those that browsers always allow.
_REQUEST_HEADERS: Final = (
    "Authorization, Content-Encoding, Content-Type, X-Deadline-Ms, X-Request-Id, X-Undertone-Split"
)
_PREFLIGHT_S: Final = "600"


@dataclass(frozen=True)
class CrossOrigin:
    """The origins of pages that may call the API, from the settings; none by default."""

    origins: tuple[str, ...] = ()

    def permits(self, origin: str | None) -> bool:
        """Whether a page of `origin` may read answers."""
        return origin is not None and (ANY_ORIGIN in self.origins or origin.lower() in self.origins)

    def mark(self, headers: MutableHeaders, origin: str | None) -> None:
        """Add the headers that tell the browser whether the page may read this answer."""
        if not self.origins:
            return
        anyone = ANY_ORIGIN in self.origins
        if not anyone:
            headers.add_vary_header("Origin")
        if origin is not None and self.permits(origin):
            headers["Access-Control-Allow-Origin"] = ANY_ORIGIN if anyone else origin
            headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS

    def options(self, headers: Headers, methods: Sequence[str]) -> Response:
        """Answer OPTIONS on a path that takes `methods`, including a browser's preflight before a page's request.

        Raises:
            HttpError: 403, the page's origin is not permitted.
        """
        allowed = {"Allow": ", ".join(methods)}
        if "origin" not in headers or "access-control-request-method" not in headers:
            return Response(status_code=204, headers=allowed)
        if not self.permits(headers["origin"]):
            page = headers["origin"][:256]
            message = f"pages of {page!r} may not call this API; add the origin to UNDERTONE_CORS_ORIGINS to permit it"
            raise HttpError(403, "forbidden", message, "Origin")
        return Response(status_code=204, headers={**allowed, **self._preflight(allowed["Allow"])})

    def _preflight(self, methods: str) -> Mapping[str, str]:
        return {
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": _REQUEST_HEADERS,
            "Access-Control-Max-Age": _PREFLIGHT_S,
        }
