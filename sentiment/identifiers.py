"""Identifiers of texts: those that clients choose, and those made here."""

from __future__ import annotations

import os
import uuid
from typing import Final

from sentiment.clock import epoch_ms

#: What a client may choose as an id: safe in a URL's path (`.` and `..` would mean folders), a log line and a file.
ID_PATTERN: Final = r"^[A-Za-z0-9_:~@+=-][A-Za-z0-9._:~@+=-]{0,127}$"
ID_RULE: Final = "1 to 128 letters, digits or . _ : ~ @ + = -, the first no dot"


def new_id(now_ms: int | None = None) -> str:
    """Return a UUID of version 7 (RFC 9562): its order is the order of time."""
    return repeatable_id(epoch_ms() if now_ms is None else now_ms, os.urandom(10))


def repeatable_id(at_ms: int, digest: bytes) -> str:
    """Return a UUID of version 7 with the first 10 bytes of `digest` for its random part."""
    value = (at_ms << 80) | int.from_bytes(digest[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
