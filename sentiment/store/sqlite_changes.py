"""The changes of texts in SQLite: a row an id, written in the transaction that changed the text."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from sentiment.records import Changes
from sentiment.store.base import KEPT_CHANGES

# AUTOINCREMENT: revisions go on from the last one also when all rows are gone. They have no gaps.
_LAST: Final = "SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'changes'), 0)"
_AFTER: Final = "SELECT revision, id FROM changes WHERE revision > ? ORDER BY revision LIMIT ?"
_FORGET: Final = "DELETE FROM changes WHERE revision <= ?"


def note_changes(connection: sqlite3.Connection, ids: Iterable[str]) -> None:
    """Note that texts change in this transaction; what nobody has asked for in a long time is dropped."""
    connection.executemany("INSERT INTO changes (id) VALUES (?)", [(text_id,) for text_id in ids])
    connection.execute(_FORGET, [last_revision(connection) - KEPT_CHANGES])


def last_revision(connection: sqlite3.Connection) -> int:
    """Return the revision of the last change, 0 before the first."""
    return int(connection.execute(_LAST).fetchone()[0])


def read_changes(connection: sqlite3.Connection, after: int, limit: int) -> Changes:
    """Return what changed after a revision; see `TextStore.changes`."""
    last = last_revision(connection)  # read first: what comes meanwhile must not look like a gap
    rows = connection.execute(_AFTER, [after, limit]).fetchall()
    if rows[0][0] != after + 1 if rows else after != last:
        return Changes([], last, is_whole=False)
    return Changes(list(dict.fromkeys(text_id for _, text_id in rows)), rows[-1][0] if rows else after)


def forget_changes(connection: sqlite3.Connection, upto: int) -> None:
    """Drop the changes up to a revision."""
    connection.execute(_FORGET, [upto])
