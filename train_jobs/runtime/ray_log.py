"""Sends what Ray and other libraries write to standard error to a file instead."""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import IO, Final, TextIO

from sentiment.settings import Settings

_STDERR: Final = 2
_LOG: Final = "ray.log"
_LOGS: Final = "logs"


@contextmanager
def ray_log_aside(settings: Settings) -> Iterator[None]:
    """Append what does not go through `sys.stderr` to `logs/ray.log` in home while the block runs.

    Ray's libraries write to the file descriptor, which its processes inherit, whatever its logging options say. The
    file has their output even if this process dies. If nothing was written, there is no file.
    """
    stderr = sys.stderr
    with _log_in(settings.home) as log, os.fdopen(os.dup(_STDERR), "w", buffering=1, errors="replace") as real:
        stderr.flush()
        os.dup2(log.fileno(), _STDERR)
        sys.stderr = real if _is_the_terminal_s(stderr) else stderr
        try:
            yield
        finally:
            sys.stderr.flush()
            sys.stderr = stderr
            os.dup2(real.fileno(), _STDERR)


@contextmanager
def libraries_aside(settings: Settings) -> Iterator[TextIO]:
    """Send all of standard error to that log, including what Python code writes; yield the real standard error.

    This catches progress bars, banners and warnings of all libraries, whatever their options.
    """
    with ray_log_aside(settings), os.fdopen(os.dup(_STDERR), "w", buffering=1, errors="replace") as log:
        real, sys.stderr = sys.stderr, log
        try:
            yield real
        finally:
            sys.stderr = real


@contextmanager
def stdout_aside() -> Iterator[None]:
    """Send what is written to `sys.stdout` to standard error while the block runs.

    Ray's driver prints a notice about dead workers to standard output, whatever its logging options say.
    """
    with os.fdopen(os.dup(_STDERR), "w", buffering=1, errors="replace") as aside, redirect_stdout(aside):
        yield


@contextmanager
def _log_in(home: Path) -> Iterator[IO[bytes]]:
    """Open the log to append to it, and remove it again if it is empty at the end."""
    try:
        with _opened(home) as log:
            yield log
    finally:
        _remove_if_empty(home / _LOGS / _LOG)


def _opened(home: Path) -> IO[bytes]:
    """Open the log; if home cannot be written, its lines are lost, which is no reason to fail."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        (home / _LOGS).mkdir(exist_ok=True, mode=0o700)
        log = (home / _LOGS / _LOG).open("ab")
        fcntl.flock(log, fcntl.LOCK_SH)  # of the open file: processes that inherit it hold the lock too
        return log
    except OSError:
        return tempfile.TemporaryFile()


def _remove_if_empty(path: Path) -> None:
    """Remove the log if it is empty and no other process may still write to it."""
    with suppress(OSError), path.open("r+b") as log:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.fstat(log.fileno()).st_size:
            path.unlink()


def _is_the_terminal_s(stream: object) -> bool:
    """Return whether a stream writes to the descriptor of standard error, as a replaced one does not."""
    try:
        return bool(stream.fileno() == _STDERR)  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
