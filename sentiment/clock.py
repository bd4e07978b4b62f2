"""The time of day, as records hold it."""

from __future__ import annotations

import time


def epoch_ms() -> int:
    """Return the time now, in milliseconds of the Unix epoch."""
    return time.time_ns() // 1_000_000
