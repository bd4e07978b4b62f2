"""Keeps the log lines of Ray's own code, which goes past Python, off a command's standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from sentiment.errors import InvalidSettings
from sentiment.settings import PREFIX, Settings, unusable_home
from serve_app.platform_state import Places

_STDERR: Final = 2
_LOG: Final = "ray.log"


@contextmanager
def ray_log_aside(settings: Settings) -> Iterator[None]:
    """Let what does not go through `sys.stderr` go to `logs/ray.log` in home while the block runs.

    Ray's libraries write to the descriptor, and its processes inherit it, whatever Ray is told of logging.

    Raises:
        InvalidSettings: home cannot be written.
    """
    known = sys.stderr
    with _opened(settings) as log, os.fdopen(os.dup(_STDERR), "w", buffering=1, errors="backslashreplace") as kept:
        known.flush()
        os.dup2(log.fileno(), _STDERR)
        sys.stderr = kept if _is_the_terminal_s(known) else known
        try:
            yield
        finally:
            sys.stderr.flush()
            sys.stderr = known
            os.dup2(kept.fileno(), _STDERR)


def _opened(settings: Settings) -> IO[bytes]:
    folder = Places(settings.home).logs
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / _LOG).open("ab")
    except OSError as exc:
        raise InvalidSettings(unusable_home(settings.home, exc), f"{PREFIX}HOME") from exc


def _is_the_terminal_s(stream: object) -> bool:
    """Say whether a stream writes to the descriptor itself; one that stands in for it does not."""
    try:
        return bool(stream.fileno() == _STDERR)  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
