"""The text store: texts with their labels, the traffic table, API keys."""

from __future__ import annotations

from sentiment.settings import Settings
from sentiment.store.base import TextStore

__all__ = ["TextStore", "open_store", "store_exists"]


def open_store(settings: Settings) -> TextStore:
    """Return the store that the settings name: MongoDB if `mongo_uri` is set, else SQLite in `home`. Touches none."""
    if settings.mongo_uri is None:
        from sentiment.store.sqlite import SqliteStore

        return SqliteStore(settings.database_path)
    from sentiment.store.mongo import MongoStore  # here: the embedded store shall not pay for the import of pymongo

    return MongoStore(settings.mongo_uri.get_secret_value(), settings.mongo_database)


def store_exists(settings: Settings) -> bool:
    """Return whether there is a store to look into: the embedded one is made only by what writes to it."""
    return settings.mongo_uri is not None or settings.database_path.exists()
