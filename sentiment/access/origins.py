"""Origins of web pages, as browsers name them in the header Origin: `https://app.example`."""

from __future__ import annotations

import re
from typing import Final

#: Stands for every origin.
ANY_ORIGIN: Final = "*"
#: Headers of answers that a page may read beside those that every page may.
EXPOSED_HEADERS: Final = "Retry-After, X-Request-Id"
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


def parse_origins(text: str) -> tuple[str, ...]:
    """Return the origins of a list with commas, each as browsers write it; `*` alone stands for all.

    Raises:
        ValueError: one is no origin, or `*` stands beside others.
    """
    origins = tuple(dict.fromkeys(_origin(part.strip()) for part in text.split(",")))
    if ANY_ORIGIN in origins and len(origins) > 1:
        raise ValueError("must be * alone, or a list of origins without it")
    return origins


def _origin(part: str) -> str:
    if part == ANY_ORIGIN:
        return part
    origin = part.lower().removesuffix("/")
    if not _ORIGIN.fullmatch(origin) or _port_of(origin) > 65_535:
        raise ValueError(
            f"must be origins like https://app.example or http://localhost:3000, with commas between, or *: {part!r} "
            "is none (no path, no wildcard, a host in ASCII)"
        )
    scheme = origin.partition(":")[0]
    return origin.removesuffix(_DEFAULT_PORTS.get(scheme, "\0"))


def _port_of(origin: str) -> int:
    port = origin.rpartition(":")[2]
    return int(port) if port.isdigit() else 0
