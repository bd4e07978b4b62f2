"""Errors that Ray's tasks and actors end with, as the project's own: as they raise them, and as they come back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sentiment.errors import UndertoneError, no_room

_RAY_DATA_ADDS: Final = "\nFailed to apply UDF"  # and more, to the message of every error


@contextmanager
def full_disk_told() -> Iterator[None]:
    """Let a full disk be Unavailable, naming the folder: Ray passes on what is raised as a traceback else."""
    try:
        yield
    except OSError as exc:
        if full := no_room(exc):
            raise full from exc
        raise


def own_error(exc: BaseException | None) -> UndertoneError | None:
    """Return the project's own error that a task or an actor died of, without Ray's wrapping; None if it is another."""
    own = next((cause for cause in _causes(exc) if _is_own(cause)), None)
    if not isinstance(own, UndertoneError):
        return None
    own.args = (str(own).partition(_RAY_DATA_ADDS)[0], *own.args[1:])
    return own


def _is_own(cause: BaseException) -> bool:
    from ray.exceptions import RayError  # its wrapper is an instance of what it wraps, too

    return isinstance(cause, UndertoneError) and not isinstance(cause, RayError)


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = getattr(exc, "cause", None) or exc.__cause__
