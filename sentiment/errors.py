"""Every error that Undertone raises on purpose.

    UndertoneError                 something that a caller can understand and correct
    ├── InvalidInput               a value of the caller's is wrong: names the field and the remedy   (422)
    │   └── InvalidSettings        a setting is wrong: names the variable and what it may be
    ├── NotFound                   no such text, version, key or data set                              (404)
    ├── Conflict                   the same name already stands for something else                     (409)
    ├── KeyRefused                 the API needs a valid key, or one with another scope           (401, 403)
    ├── Unavailable                a part that is needed is down or full: try again later              (503)
    │   ├── StoreUnavailable       the text store does not answer
    │   ├── RegistryUnavailable    the model registry does not answer
    │   ├── DatasetsUnavailable    the store of dataset versions is down, full, or unsuitable
    │   ├── JournalFull            the journal's disk is full
    │   └── NoModel                no version is loaded that could answer
    ├── Overloaded                 more work than capacity: carries `retry_after_s`                     (429)
    ├── DeadlineExceeded           the request's own time limit passed                                 (504)
    ├── DatasetDamaged             files of a dataset version are missing or do not match its manifest
    ├── ModelRejected              files of a version do not match its manifest, or cannot be served   (503)
    └── PlatformError              the local platform cannot start or stop: names the cause and the remedy

A message has the value and the remedy, and may be shown to users. All errors can be pickled, because they cross
processes.
"""

from __future__ import annotations

import errno
from typing import Final

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class UndertoneError(Exception):
    """Base of all errors that are raised on purpose; `str(error)` may be shown to users."""


class _OfField(UndertoneError):
    """An error about one value of the caller's; `field` is its dotted path, empty if unknown."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message, field)
        self.field = field

    def __str__(self) -> str:
        return str(self.args[0])


class InvalidInput(_OfField):
    """A value given by the caller is wrong; the message says what it may be."""


class InvalidSettings(InvalidInput):
    """A setting is wrong; `field` is the environment variable's name."""


class NotFound(_OfField):
    """There is nothing under that name."""


class Conflict(_OfField):
    """The name already stands for something else."""


class KeyRefused(UndertoneError):
    """The request needs a valid key with `scope`; `is_known` says that the key is valid and only lacks the scope."""

    def __init__(self, message: str, scope: str, is_known: bool = False) -> None:
        super().__init__(message, scope, is_known)
        self.scope, self.is_known = scope, is_known

    def __str__(self) -> str:
        return str(self.args[0])


class Unavailable(UndertoneError):
    """A part that this needs is down or full; trying again later may work."""


class StoreUnavailable(Unavailable):
    """The text store does not answer."""


class RegistryUnavailable(Unavailable):
    """The model registry does not answer."""


class DatasetsUnavailable(Unavailable):
    """The store of dataset versions is down, full, refuses us, or lacks a guarantee that is needed."""


class JournalFull(Unavailable):
    """The journal cannot take more: its disk is full."""


class NoModel(Unavailable):
    """No model version is loaded that could answer."""


class Overloaded(UndertoneError):
    """More work came than there is capacity for; `retry_after_s` says when to come back."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message, retry_after_s)
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return str(self.args[0])


class DeadlineExceeded(UndertoneError):
    """The request's own time limit passed before it was answered."""


class DatasetDamaged(UndertoneError):
    """A dataset version is incomplete: its manifest or a shard is missing, truncated or altered."""


class ModelRejected(UndertoneError):
    """A model version cannot be served: its files do not match its manifest, or this code cannot run it."""


class PlatformError(UndertoneError):
    """The local platform cannot start or stop; the message names the cause and the remedy."""


def no_room(exc: OSError) -> Unavailable | None:
    """Return the error about a full disk, None for any other error."""
    if exc.errno not in _FULL:
        return None
    where = f" ({exc.filename})" if exc.filename else ""
    return Unavailable(f"The disk is full{where}: free some space, or set UNDERTONE_HOME to a folder on another disk.")
