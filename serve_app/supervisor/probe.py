"""Asks a local server over plain HTTP whether it is there: one request, one answer, no proxy between."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

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
        """The address as a browser takes it."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"


def answers(address: Address, path: str, api_key: str | None = None, timeout_s: float = _TIMEOUT_S) -> bool:
    """Return whether a GET of `path` is answered 2xx or 3xx within `timeout_s` seconds."""
    return status_of(address, path, api_key, timeout_s) in range(200, 400)


def is_instance(address: Address, instance: str) -> bool:
    """Return whether the API there is that of the platform's start `instance`, and not another's."""
    headers = _exchange(address, "GET", "/healthz", None, None, _TIMEOUT_S)[2]
    return bool(instance) and headers.get(INSTANCE_HEADER.lower()) == instance


def status_of(address: Address, path: str, api_key: str | None, timeout_s: float) -> int:
    """Return the status with which a GET of `path` is answered, 0 where it is not."""
    return _exchange(address, "GET", path, None, api_key, timeout_s)[0]


def ask(address: Address, path: str, body: Any, api_key: str | None = None) -> dict[str, Any] | None:
    """POST `body` as JSON and return the JSON object that was answered, or None if it was not 200."""
    status, content, _ = _exchange(address, "POST", path, json.dumps(body), api_key, timeout_s=15.0)
    return json.loads(content) if status == http.HTTPStatus.OK else None


def _exchange(
    address: Address, method: str, path: str, body: str | None, api_key: str | None, timeout_s: float
) -> tuple[int, bytes, Mapping[str, str]]:
    headers = {"Content-Type": "application/json"} if body else {}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    connection = http.client.HTTPConnection(address.host, address.port, timeout=timeout_s)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read(), {name.lower(): value for name, value in response.getheaders()}
    except (OSError, http.client.HTTPException, ValueError):  # ValueError: a host that cannot be looked up
        return 0, b"", {}
    finally:
        connection.close()
