"""Free ports for servers that tests start.

Not those that the system hands out by itself: between the choice and the server's start a connection of any process
could be given one of them.
"""

from __future__ import annotations

import random
import socket
from typing import Final

_CHOICE: Final = range(20_000, 29_000)  # below Linux's ephemeral ports, above Ray's workers, beside Serve's replicas


def free_port() -> int:
    """Return a port that nothing listens on at the moment."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Return different ports that nothing listens on at the moment."""
    candidates = random.sample(_CHOICE, len(_CHOICE))
    ports = [port for port, _ in zip((port for port in candidates if _is_free(port)), range(count), strict=False)]
    assert len(ports) == count, f"no {count} free ports in {_CHOICE}"
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
