"""Gives a request's texts the same ids when HAProxy sends the request to a second gateway because the first one died.

HAProxy names each request before it chooses a gateway, so both gateways read the same name. Clients cannot forge one: a
name without the platform's stamp is ignored.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import replace

from starlette.requests import Request

from sentiment.identifiers import repeatable_id
from sentiment.records import RawText
from sentiment.text import keyed_digest
from serve_app.edge_contract import ARRIVAL_HEADER, stamp_of


class Arrivals:
    """Gives texts without an id one that is made from the request's name; `secret` is the platform's."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._stamp = stamp_of(secret)

    def named(self, request: Request, raws: Iterable[RawText]) -> list[RawText]:
        """Return a request's texts, in order, with ids made from its name."""
        name = self.name_of(request)
        return [self.text(name, number, raw) for number, raw in enumerate(raws)]

    def name_of(self, request: Request) -> str | None:
        """Return the name of a request; None where this platform's HAProxy gave it none."""
        stamp, _, name = request.headers.get(ARRIVAL_HEADER, "").partition(".")
        return name if hmac.compare_digest(stamp.encode(), self._stamp.encode()) else None

    def text(self, name: str | None, number: int, raw: RawText) -> RawText:
        """Return the text at place `number` of the request with that name, with the id made from both."""
        if name is None or raw.id is not None:
            return raw
        at_ms = int(name.partition(".")[0])
        digest = keyed_digest(self._secret, f"{name} {number} {raw.text}")
        return replace(raw, spare_id=repeatable_id(at_ms, bytes.fromhex(digest)))
