"""Journals whose owner was killed are brought into the store by any sink that lives."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path

from sentiment.journal import Journal, JournalOptions, open_orphan, orphans
from sentiment.store.base import TextStore
from sentiment.writes.drain import Drain

logger = logging.getLogger(__name__)


def adopt_orphans(root: Path, store: TextStore, options: JournalOptions | None = None) -> int:
    """Bring the journals under `root` without a living owner into the store; return how many operations they held.

    Raises:
        StoreUnavailable: the store does not answer; what is left stays in the journals.
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
    logger.info("%d operations of a sink that died are in the store", drain.stored)
    return drain.stored
