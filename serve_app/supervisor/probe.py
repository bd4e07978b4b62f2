"""Probes a local server over plain HTTP: one request, one answer, and no proxy between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx

from serve_app.edge_contract import INSTANCE_HEADER

_TIMEOUT_S: Final = 3.0


@dataclass(frozen=True)
class Address:
    """A host and a port of this machine."""

    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Self:
        """Return the address that a URL names."""
        parts = urlsplit(url)
        return cls(parts.hostname or "", parts.port or 80)

    @property
    def url(self) -> str:
        """The address as a URL."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"


def answers(address: Address, path: str, api_key: str | None = None, timeout_s: float = _TIMEOUT_S) -> bool:
    """Return whether a GET of `path` gets a status of 200 to 399 within `timeout_s` seconds."""
    return status_of(address, path, api_key, timeout_s) in range(200, 400)


def is_instance(address: Address, instance: str) -> bool:
    """Return whether the API there belongs to the platform's start `instance`."""
    response = _response(address, "GET", "/healthz", None, _TIMEOUT_S)
    return bool(instance) and response is not None and response.headers.get(INSTANCE_HEADER) == instance


def status_of(address: Address, path: str, api_key: str | None, timeout_s: float) -> int:
    """Return the status of a GET of `path`, 0 without an answer."""
    response = _response(address, "GET", path, api_key, timeout_s)
    return 0 if response is None else response.status_code


def post(address: Address, path: str, body: Any, api_key: str | None = None) -> dict[str, Any] | None:
    """POST `body` as JSON and return the answer's JSON object, or None if the status is not 200."""
    response = _response(address, "POST", path, api_key, timeout_s=15.0, body=body)
    return response.json() if response is not None and response.status_code == httpx.codes.OK else None


def _response(
    address: Address, method: str, path: str, api_key: str | None, timeout_s: float, body: Any = None
) -> httpx.Response | None:
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        with httpx.Client(timeout=timeout_s, trust_env=False, verify=False) as client:  # noqa: S501 - plain HTTP
            return client.request(method, f"{address.url}{path}", headers=headers, json=body)
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
