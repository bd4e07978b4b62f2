"""The ways of operations into the text store: through a journal, or directly. What is DONE survives any crash."""

from __future__ import annotations

from sentiment.journal import JournalOptions, open_free
from sentiment.settings import Settings
from sentiment.store.base import TextStore
from sentiment.writes.adoption import adopt_orphans
from sentiment.writes.write_behind import WriteBehind
from sentiment.writes.write_through import WriteThrough

__all__ = ["WriteBehind", "WriteThrough", "adopt_orphans", "open_writes"]


def open_writes(settings: Settings, store: TextStore, options: JournalOptions) -> WriteBehind | WriteThrough:
    """Return the way into the store that `settings.durability` names; the journal is replayed first.

    Raises:
        Unavailable: the journal's folder cannot be used.
    """
    if settings.durability == "store":
        return WriteThrough(store)
    writes = WriteBehind(open_free(settings.journal_path, options), store)
    writes.start()
    return writes
