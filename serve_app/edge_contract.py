"""What the ingress and a gateway agree on: names of headers, the stamp of a request's name, the path of streams."""

from __future__ import annotations

from typing import Final

from sentiment.text import keyed_digest

#: `STAMP.MILLISECONDS.UUID`: HAProxy's name of a request; the time of arrival in epoch ms, and a random UUID.
ARRIVAL_HEADER: Final = "x-undertone-arrival"
#: The name of the start that an API belongs to, in what anybody may ask for.
INSTANCE_HEADER: Final = "X-Undertone-Instance"
#: A stream is read as it is answered: the ingress does not wait for the whole of its body.
STREAM_PATH: Final = "/v1/predict/stream"


def stamp_of(secret: bytes) -> str:
    """Return what only the platform's own HAProxy writes into a request's name."""
    return keyed_digest(secret, "arrival at the ingress")


def instance_headers(instance: str) -> dict[str, str]:
    """Return the header; none where no platform's supervisor started this, as with `serve deploy`."""
    return {INSTANCE_HEADER: instance} if instance else {}
