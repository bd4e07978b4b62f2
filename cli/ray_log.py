"""Keeps the log lines of Ray's own code, which goes past Python, off a command's standard error."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Final

from sentiment.settings import Settings
from serve_app.platform_state import Places

_STDERR: Final = 2
_LOG: Final = "ray.log"


@contextmanager
def ray_log_aside(settings: Settings) -> Iterator[None]:
    """Keep what does not go through `sys.stderr` while the block runs; put it into `logs/ray.log` in home at its end.

    Ray's libraries write to the descriptor, and its processes inherit it, whatever Ray is told of logging.
    """
    known = sys.stderr
    with tempfile.TemporaryFile() as log, os.fdopen(os.dup(_STDERR), "w", buffering=1, errors="replace") as kept:
        known.flush()
        os.dup2(log.fileno(), _STDERR)
        sys.stderr = kept if _is_the_terminal_s(known) else known
        try:
            yield
        finally:
            sys.stderr.flush()
            sys.stderr = known
            os.dup2(kept.fileno(), _STDERR)
            with suppress(OSError):  # no log is worth an error
                _append(log, settings)


def _append(log: IO[bytes], settings: Settings) -> None:
    if log.seek(0, os.SEEK_END):
        folder = Places(settings.home).logs
        folder.mkdir(parents=True, exist_ok=True)
        log.seek(0)
        with (folder / _LOG).open("ab") as file:
            shutil.copyfileobj(log, file)


def _is_the_terminal_s(stream: object) -> bool:
    """Say whether a stream writes to the descriptor itself; one that stands in for it does not."""
    try:
        return bool(stream.fileno() == _STDERR)  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
