"""Applies journals whose owner was killed: any live sink can do that."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path

from sentiment.journal import Journal, JournalOptions, open_orphan, orphans
from sentiment.store.base import TextStore
from sentiment.writes.drain import Drain

logger = logging.getLogger(__name__)


def adopt_orphans(root: Path, store: TextStore, options: JournalOptions | None = None) -> int:
    """Apply the journals under `root` without a live owner to the store; return the number of their operations.

    Raises:
        StoreUnavailable: the store does not answer; the rest stays in the journals.
        OSError: a folder cannot be read.
    """
    return sum(_adopt(path, store, options) for path in orphans(root))


def _adopt(path: Path, store: TextStore, options: JournalOptions | None) -> int:
    journal = open_orphan(path, options)
    if journal is None:
        return 0
    with closing(journal):
        return _drain(journal, store)


def _drain(journal: Journal, store: TextStore) -> int:
    drain = Drain(journal, store)
    drain.run()
    logger.info("%d operations from the journal of a dead sink were applied to the store", drain.stored)
    return drain.stored
