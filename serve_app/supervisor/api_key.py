"""The API key of the supervisor and the page, where the API asks for one; it is revoked when they end."""

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
    """Yield an API key that is revoked at the end; None where the API listens on loopback only and asks for none.

    A cluster's API always needs one, since this platform does not decide which host it listens on.

    Raises:
        StoreUnavailable: the text store, where keys are kept, does not answer.
    """
    if settings.on_loopback and settings.address is None:
        yield None
        return
    from sentiment.access.keys import create_key, revoke_key
    from sentiment.store import open_store

    store = open_store(settings)
    with contextlib.suppress(NotFound):  # of an earlier run that was killed
        revoke_key(store, _NAME)
    try:
        yield create_key(store, secret_of(settings), _NAME, "admin", None, epoch_ms())
    finally:
        with contextlib.suppress(NotFound, StoreUnavailable):  # revoked already, or the next start revokes it
            revoke_key(store, _NAME)
        store.close()
