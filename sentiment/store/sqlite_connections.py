"""Connections to one SQLite file: a pool for many threads, the schema, and the translation of its errors."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from sentiment.errors import InvalidInput, StoreUnavailable

SCHEMA_VERSION: Final = 5

# `words.py` finds the words of a text; they come here joined by spaces, so every other character belongs to a word.
_SCHEMA: Final = """
CREATE TABLE texts (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, text TEXT NOT NULL, text_key TEXT NOT NULL,
    near_key TEXT NOT NULL, created_at_ms INTEGER NOT NULL, received_at_ms INTEGER NOT NULL, source TEXT,
    author_key TEXT, topics TEXT NOT NULL, label TEXT, score REAL, sentiment REAL, probabilities TEXT,
    truncated INTEGER NOT NULL, model TEXT, model_version INTEGER, labelled_at_ms INTEGER, labelled_by TEXT,
    expires_at_ms INTEGER, language TEXT, supported INTEGER NOT NULL DEFAULT 1, feedback TEXT NOT NULL DEFAULT '[]'
) STRICT;
CREATE INDEX texts_by_time ON texts (created_at_ms, id, label);
CREATE INDEX texts_by_expiry ON texts (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
CREATE TABLE topics (topic TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (topic, seq)) STRICT, WITHOUT ROWID;
CREATE INDEX topics_by_text ON topics (seq);
CREATE VIRTUAL TABLE search USING fts5 (
    words, detail = none, tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* P* S* C*'"
);
CREATE TABLE tombstones (id TEXT PRIMARY KEY, deleted_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE changes (revision INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL) STRICT;
CREATE TABLE documents (
    kind TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
"""

#: What brings a file of an earlier schema version to the next one.
_STEPS: Final = {
    1: "ALTER TABLE texts ADD COLUMN feedback TEXT NOT NULL DEFAULT '[]'",
    2: "ALTER TABLE texts ADD COLUMN language TEXT",
    3: "ALTER TABLE texts ADD COLUMN supported INTEGER NOT NULL DEFAULT 1",
    4: "CREATE TABLE changes (revision INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL) STRICT",
}

_BUSY: Final = "The text store is locked by another process; try again later."
_FULL: Final = "The disk of the text store is full; free some space and try again."
_DAMAGED: Final = "The text store's file is damaged; restore it from a backup, or move it away to start with a new one."
_UNREACHABLE: Final = "The text store's file cannot be opened, read or written; check its disk and its permissions."
_SLOW: Final = "The text store took too long to answer; try again, or ask for less."
_FAILED: Final = "The text store failed unexpectedly; try again later."
_PRIMARY_CODE: Final = 0xFF
_MESSAGES: Final = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CANTOPEN: _UNREACHABLE,
    sqlite3.SQLITE_READONLY: _UNREACHABLE,
    sqlite3.SQLITE_PERM: _UNREACHABLE,
    sqlite3.SQLITE_IOERR: _UNREACHABLE,
    sqlite3.SQLITE_INTERRUPT: _SLOW,
}
_STEPS_BETWEEN_CHECKS: Final = 10_000
_WAIT_FOR_READERS_MS: Final = 100


class Connections:
    """Lends connections, each to one caller at a time; the file is created at the first use with mode 0600."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._idle: deque[sqlite3.Connection] = deque()
        self._lock = threading.Lock()
        self._ready = False
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for one statement, which is interrupted after the time limit.

        Raises:
            StoreUnavailable: the database fails.
            InvalidInput: SQLite cannot hold a value.
        """
        deadline = time.monotonic() + self._timeout_s
        with self._lent() as connection:
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_CHECKS)
            try:
                yield connection
            finally:
                connection.set_progress_handler(None, 0)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection in a transaction: committed to disk at the end, or undone by an exception.

        Raises:
            StoreUnavailable: the database fails; nothing was written.
            InvalidInput: SQLite cannot hold a value; nothing was written.
        """
        with self._lent() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def erase_log(self) -> None:
        """Empty the write-ahead log, so that it has no deleted texts; skipped while others use it."""
        with self._lent() as connection:
            connection.execute(f"PRAGMA busy_timeout = {_WAIT_FOR_READERS_MS}")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute(f"PRAGMA busy_timeout = {int(self._timeout_s * 1000)}")

    def close(self) -> None:
        """Close the idle connections now, and the lent ones when they are returned."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        with _errors_in_words():
            connection = self._take()
            try:
                yield connection
            except sqlite3.Error:
                connection.close()  # its cached state may be wrong now
                raise
            except BaseException:
                self._give_back(connection)
                raise
            self._give_back(connection)

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise StoreUnavailable("The text store is closed.")
            if self._idle:
                return self._idle.pop()
            if not self._ready:
                self._prepare()
                self._ready = True
        return self._connect()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=self._timeout_s, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        return connection

    def _prepare(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with closing(self._connect()) as connection:
            if _version(connection) != SCHEMA_VERSION:
                self._switch_to_wal(connection)
                _migrate(connection)

    def _switch_to_wal(self, connection: sqlite3.Connection) -> None:
        # SQLite does not wait here when another process switches at the same moment.
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        if version > SCHEMA_VERSION:
            raise StoreUnavailable("The text store was written by a newer version of Undertone; run that version.")
        if version == 0:
            for statement in _SCHEMA.split(";\n"):
                connection.execute(statement)
        for older in range(version or SCHEMA_VERSION, SCHEMA_VERSION):
            connection.execute(_STEPS[older])
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def _errors_in_words() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        raise StoreUnavailable(_MESSAGES.get(code & _PRIMARY_CODE, _FAILED)) from exc
    except OSError as exc:
        raise StoreUnavailable(_UNREACHABLE) from exc
    except (OverflowError, UnicodeEncodeError) as exc:
        raise InvalidInput(
            "A number has more than 64 bits, or a text has half a surrogate pair, which cannot be stored; correct it."
        ) from exc
