"""The key with which the supervisor and the page ask an API that wants one; it lives as they do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sentiment.access.secret import secret_of
from sentiment.clock import epoch_ms
from sentiment.errors import NotFound, StoreUnavailable
from sentiment.settings import Settings

_NAME: Final = "undertone-platform"


@contextmanager
def platform_key(settings: Settings) -> Iterator[str | None]:
    """Yield a key of this run, revoked at its end; None on this machine's loopback, where none is asked for.

    The API of a cluster always asks for one: the host that it listens on is not this platform's to say.

    Raises:
        StoreUnavailable: the text store, where keys are kept, does not answer.
    """
    if settings.on_loopback and settings.address is None:
        yield None
        return
    from sentiment.access.keys import create_key, revoke_key
    from sentiment.store import open_store

    store = open_store(settings)
    with contextlib.suppress(NotFound):  # an earlier run that was killed
        revoke_key(store, _NAME)
    try:
        yield create_key(store, secret_of(settings), _NAME, "admin", None, epoch_ms())
    finally:
        with contextlib.suppress(NotFound, StoreUnavailable):  # gone already, or to be revoked by the next start
            revoke_key(store, _NAME)
        store.close()
