"""Keeps what Ray's own code and other libraries write off a command's and a job's standard error: it goes to a file."""

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
    """Send what does not go through `sys.stderr` to the end of `logs/ray.log` in home while the block runs.

    Ray's libraries write to the descriptor, and its processes inherit it, whatever Ray is told of logging. What they
    wrote is in the file even if this process dies. Where nothing was written there is no file.
    """
    known = sys.stderr
    with _log_in(settings.home) as log, os.fdopen(os.dup(_STDERR), "w", buffering=1, errors="replace") as kept:
        known.flush()
        os.dup2(log.fileno(), _STDERR)
        sys.stderr = kept if _is_the_terminal_s(known) else known
        try:
            yield
        finally:
            sys.stderr.flush()
            sys.stderr = known
            os.dup2(kept.fileno(), _STDERR)


@contextmanager
def libraries_aside(settings: Settings) -> Iterator[TextIO]:
    """Send all of standard error to the log as `ray_log_aside` does, what Python code writes too; yield the real one.

    Bars, banners and warnings of libraries end in the log so, whatever each of them is told.
    """
    with ray_log_aside(settings), os.fdopen(os.dup(_STDERR), "w", buffering=1, errors="replace") as log:
        real, sys.stderr = sys.stderr, log
        try:
            yield real
        finally:
            sys.stderr = real


@contextmanager
def stdout_aside() -> Iterator[None]:
    """Send what is written to `sys.stdout` to the descriptor of standard error while the block runs.

    Ray's driver prints there that a worker died, with advice on Ray, whatever it is told of logging.
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
    """Open the log; no log is worth an error: where home cannot be written, its lines are lost."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        (home / _LOGS).mkdir(exist_ok=True, mode=0o700)
        log = (home / _LOGS / _LOG).open("ab")
        fcntl.flock(log, fcntl.LOCK_SH)  # of the open file: processes that inherit it hold the lock too
        return log
    except OSError:
        return tempfile.TemporaryFile()


def _remove_if_empty(path: Path) -> None:
    """Remove the log unless there is something in it, or somebody left who may yet write to it."""
    with suppress(OSError), path.open("r+b") as log:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.fstat(log.fileno()).st_size:
            path.unlink()


def _is_the_terminal_s(stream: object) -> bool:
    """Say whether a stream writes to the descriptor itself; one that stands in for it does not."""
    try:
        return bool(stream.fileno() == _STDERR)  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
