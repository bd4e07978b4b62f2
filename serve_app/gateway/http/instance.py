"""Which platform's API this is: the name of its start, in a header of what anybody may ask for."""

from __future__ import annotations

from typing import Final

INSTANCE_HEADER: Final = "X-Undertone-Instance"


def instance_headers(instance: str) -> dict[str, str]:
    """Return the header; none where no platform's supervisor started this, as with `serve deploy`."""
    return {INSTANCE_HEADER: instance} if instance else {}
