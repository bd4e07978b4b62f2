"""The contract between the ingress and a gateway: names of headers, the stamp in a request's name, streams' path."""

from __future__ import annotations

from typing import Final

from sentiment.text import keyed_digest

#: HAProxy names each request in this header: `STAMP.MILLISECONDS.UUID`, with its arrival in epoch ms and a random UUID.
ARRIVAL_HEADER: Final = "x-undertone-arrival"
#: Names the start of the platform that an API belongs to; it is sent without a key too.
INSTANCE_HEADER: Final = "X-Undertone-Instance"
#: A stream is read while it is answered, so the ingress does not wait for the whole body.
STREAM_PATH: Final = "/v1/predict/stream"


def stamp_of(secret: bytes) -> str:
    """Return the stamp in a request's name, which only the platform's own HAProxy can write."""
    return keyed_digest(secret, "arrival at the ingress")


def instance_headers(instance: str) -> dict[str, str]:
    """Return the header; empty where no supervisor started the application, as with `serve deploy`."""
    return {INSTANCE_HEADER: instance} if instance else {}
