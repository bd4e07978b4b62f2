"""The embedded text store: one SQLite file that survives power cuts and is shared by threads and processes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from sentiment.errors import Conflict
from sentiment.records import Changes, Document, Feedback, Operation, Outcome, Page, TextQuery, TextRecord
from sentiment.store.base import TIMEOUT_S, TextStore
from sentiment.store.cursor import page_of, position_of
from sentiment.store.sqlite_changes import forget_changes, last_revision, note_changes, read_changes
from sentiment.store.sqlite_connections import Connections
from sentiment.store.state import NOTHING, TOMBSTONE_MS, StoreState, fold, id_of
from sentiment.store.words import words_of, words_to_find

_FIELDS: Final = tuple(field.name for field in fields(TextRecord))
_COLUMNS: Final = ", ".join(_FIELDS)
_INSERT: Final = f"INSERT INTO texts (seq, {_COLUMNS}) VALUES (?{', ?' * len(_FIELDS)})"  # noqa: S608  # constants
_UPDATE: Final = f"UPDATE texts SET {', '.join(f'{name} = ?' for name in _FIELDS)} WHERE id = ?"  # noqa: S608
_SELECT: Final = f"SELECT {_COLUMNS} FROM texts"  # noqa: S608
_IDS: Final = "id IN (SELECT value FROM json_each(?))"
_SELECT_TOMBSTONES: Final = f"SELECT id, deleted_at_ms FROM tombstones WHERE {_IDS}"  # noqa: S608
_EXPIRED_IN_ONE_GO: Final = 1000
_PAGES_MERGED_IN_ONE_GO: Final = 200


class SqliteStore(TextStore):
    """Keeps texts and documents in the file `path`, made with its folder at the first use."""

    def __init__(self, path: Path, timeout_s: float = TIMEOUT_S) -> None:
        self._connections = Connections(path, timeout_s)
        self._words_to_forget = False

    @override
    def ping(self) -> None:
        with self._connections.reading() as connection:
            connection.execute("SELECT count(*) FROM documents").fetchone()

    @override
    def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        if not operations:
            return []
        with self._connections.writing() as connection:
            before = _load(connection, {id_of(operation) for operation in operations})
            after = dict(before)
            outcomes = fold(after, operations)
            texts_deleted = _save(connection, before, after)
        if texts_deleted:
            self._words_to_forget = True
            self._connections.erase_log()
        return outcomes

    @override
    def get_many(self, ids: Sequence[str]) -> dict[str, TextRecord]:
        with self._connections.reading() as connection:
            rows = connection.execute(f"{_SELECT} WHERE {_IDS}", [_json(list(ids))]).fetchall()
        return {record.id: record for record in map(_record, rows)}

    @override
    def page(self, query: TextQuery, limit: int, after: str | None = None) -> Page:
        where, values = _where(query)
        if position := position_of(after):
            where, values = f"{where} AND (created_at_ms, id) < (?, ?)", [*values, *position]
        statement = f"{_SELECT} WHERE {where} ORDER BY created_at_ms DESC, id DESC LIMIT ?"
        with self._connections.reading() as connection:
            rows = connection.execute(statement, [*values, limit + 1]).fetchall()
        return page_of([_record(row) for row in rows], limit)

    @override
    def count(self, query: TextQuery) -> dict[str, int]:
        where, values = _where(query)
        statement = f"SELECT ifnull(label, 'unlabelled'), count(*) FROM texts WHERE {where} GROUP BY label"  # noqa: S608
        with self._connections.reading() as connection:
            return dict(connection.execute(statement, values).fetchall())

    @override
    def delete_expired(self, now_ms: int) -> int:
        deleted = 0
        while count := self._delete_some_expired(now_ms):
            deleted += count
        with self._connections.writing() as connection:
            connection.execute("DELETE FROM tombstones WHERE deleted_at_ms <= ?", [now_ms - TOMBSTONE_MS])
        if deleted or self._words_to_forget:
            self._forget_words()
            self._connections.erase_log()
        return deleted

    @override
    def revision(self) -> int:
        with self._connections.reading() as connection:
            return last_revision(connection)

    @override
    def changes(self, after: int, limit: int) -> Changes:
        with self._connections.reading() as connection:
            return read_changes(connection, after, limit)

    @override
    def forget_changes(self, upto: int) -> None:
        with self._connections.writing() as connection:
            forget_changes(connection, upto)

    @override
    def get_document(self, kind: str, name: str) -> Document | None:
        with self._connections.reading() as connection:
            return _document(connection, kind, name)

    @override
    def list_documents(self, kind: str) -> list[Document]:
        statement = "SELECT kind, name, generation, body FROM documents WHERE kind = ? ORDER BY name"
        with self._connections.reading() as connection:
            rows = connection.execute(statement, [kind]).fetchall()
        return [Document(kind, name, generation, json.loads(body)) for kind, name, generation, body in rows]

    @override
    def last_documents(self, kind: str, limit: int, before: str | None = None) -> list[Document]:
        earlier, values = ("", [kind]) if before is None else ("AND name < ?", [kind, before])
        statement = f"SELECT name, generation, body FROM documents WHERE kind = ? {earlier} ORDER BY name DESC LIMIT ?"  # noqa: S608
        with self._connections.reading() as connection:
            rows = connection.execute(statement, [*values, limit]).fetchall()
        return [Document(kind, name, generation, json.loads(body)) for name, generation, body in rows]

    @override
    def put_document(
        self, kind: str, name: str, body: dict[str, Any], expected_generation: int | None = None
    ) -> Document:
        with self._connections.writing() as connection:
            present = _document(connection, kind, name)
            generation = present.generation if present else 0
            if expected_generation is not None and generation != expected_generation:
                raise Conflict(f"{kind} {name} has generation {generation}, not {expected_generation}; read it again.")
            row = kind, name, generation + 1, _json(body)
            connection.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?)", row)
        return Document(kind, name, generation + 1, json.loads(row[3]))

    @override
    def delete_document(self, kind: str, name: str) -> bool:
        with self._connections.writing() as connection:
            deleted = connection.execute("DELETE FROM documents WHERE kind = ? AND name = ?", [kind, name])
            return deleted.rowcount > 0

    @override
    def close(self) -> None:
        self._connections.close()

    def _delete_some_expired(self, now_ms: int) -> int:
        statement = "SELECT id FROM texts WHERE expires_at_ms <= ? LIMIT ?"
        with self._connections.writing() as connection:
            ids = [row[0] for row in connection.execute(statement, [now_ms, _EXPIRED_IN_ONE_GO])]
            _delete(connection, ids)
            note_changes(connection, ids)
        return len(ids)

    def _forget_words(self) -> None:
        # FTS5 drops the words of deleted texts only when it merges. In steps, so that writers get their turn between.
        pages = -_PAGES_MERGED_IN_ONE_GO  # negative: begin a merge of everything
        while True:
            with self._connections.writing() as connection:
                changes_before = connection.total_changes
                connection.execute("INSERT INTO search (search, rank) VALUES ('merge', ?)", [pages])
                if connection.total_changes - changes_before < 2:  # FTS5's sign that nothing is left to merge
                    break
            pages = _PAGES_MERGED_IN_ONE_GO
        self._words_to_forget = False


def _load(connection: sqlite3.Connection, ids: set[str]) -> dict[str, StoreState]:
    parameters = [_json(list(ids))]
    records = {row[0]: _record(row) for row in connection.execute(f"{_SELECT} WHERE {_IDS}", parameters)}
    tombstones = dict(connection.execute(_SELECT_TOMBSTONES, parameters).fetchall())
    return {text_id: StoreState(records.get(text_id), tombstones.get(text_id)) for text_id in ids}


def _save(connection: sqlite3.Connection, before: dict[str, StoreState], after: dict[str, StoreState]) -> bool:
    """Write what changed; return whether a text was deleted."""
    changed = [text_id for text_id, state in after.items() if state is not before.get(text_id, NOTHING)]
    deleted = [text_id for text_id in changed if before[text_id].record and not after[text_id].record]
    replaced = [after[text_id].record for text_id in changed if before[text_id].record and after[text_id].record]
    new = [after[text_id].record for text_id in changed if not before[text_id].record and after[text_id].record]
    _delete(connection, deleted)
    connection.executemany(_UPDATE, [(*_row(record), record.id) for record in replaced if record])
    _insert(connection, [record for record in new if record])
    connection.executemany(
        "INSERT OR REPLACE INTO tombstones VALUES (?, ?)",
        [(text_id, after[text_id].deleted_at_ms) for text_id in changed if after[text_id].deleted_at_ms is not None],
    )
    note_changes(connection, changed)
    return bool(deleted)


def _insert(connection: sqlite3.Connection, records: Sequence[TextRecord]) -> None:
    first = connection.execute("SELECT ifnull(max(seq), 0) + 1 FROM texts").fetchone()[0]
    numbered = list(enumerate(records, first))
    connection.executemany(_INSERT, [(seq, *_row(record)) for seq, record in numbered])
    connection.executemany(
        "INSERT INTO search (rowid, words) VALUES (?, ?)",
        [(seq, " ".join(words_of(record.text))) for seq, record in numbered],
    )
    connection.executemany(
        "INSERT INTO topics VALUES (?, ?)", [(topic, seq) for seq, record in numbered for topic in {*record.topics}]
    )


def _delete(connection: sqlite3.Connection, ids: Iterable[str]) -> None:
    texts = connection.execute(f"SELECT seq FROM texts WHERE {_IDS}", [_json(list(ids))]).fetchall()  # noqa: S608
    connection.executemany("DELETE FROM search WHERE rowid = ?", texts)
    connection.executemany("DELETE FROM topics WHERE seq = ?", texts)
    connection.executemany("DELETE FROM texts WHERE seq = ?", texts)


def _where(query: TextQuery) -> tuple[str, list[Any]]:
    conditions: dict[str, Any] = {
        "label = ?": query.label,
        "source = ?": query.source,
        "author_key = ?": query.author_key,
        "model_version = ?": query.model_version,
        "created_at_ms >= ?": query.created_from_ms,
        "created_at_ms < ?": query.created_to_ms,
        "seq IN (SELECT seq FROM topics WHERE topic = ?)": query.topic,
        "seq IN (SELECT rowid FROM search WHERE search MATCH ?)": None
        if query.search is None
        else _match(query.search),
    }
    used_conditions = {condition: value for condition, value in conditions.items() if value is not None}
    return " AND ".join(["TRUE", *used_conditions]), list(used_conditions.values())


def _match(search: str) -> str:
    return " ".join(f'"{word}"' for word in words_to_find(search))  # no word holds a quote


def _row(record: TextRecord) -> list[Any]:
    values = [getattr(record, name) for name in _FIELDS]
    values[_TOPICS] = _json(list(record.topics))
    values[_FEEDBACK] = _json([[word.source, word.label, word.at_ms] for word in record.feedback])
    if record.probabilities is not None:
        values[_PROBABILITIES] = _json(dict(record.probabilities))
    return values


def _record(row: Sequence[Any]) -> TextRecord:
    values = list(row)
    values[_TOPICS] = tuple(json.loads(values[_TOPICS]))
    if values[_PROBABILITIES] is not None:
        values[_PROBABILITIES] = json.loads(values[_PROBABILITIES])
    values[_TRUNCATED] = bool(values[_TRUNCATED])
    values[_SUPPORTED] = bool(values[_SUPPORTED])
    values[_FEEDBACK] = tuple(Feedback(*word) for word in json.loads(values[_FEEDBACK]))
    return TextRecord(*values)


def _document(connection: sqlite3.Connection, kind: str, name: str) -> Document | None:
    statement = "SELECT generation, body FROM documents WHERE kind = ? AND name = ?"
    row = connection.execute(statement, [kind, name]).fetchone()
    return Document(kind, name, row[0], json.loads(row[1])) if row else None


def _json(value: list[Any] | dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


_TOPICS: Final = _FIELDS.index("topics")
_PROBABILITIES: Final = _FIELDS.index("probabilities")
_TRUNCATED: Final = _FIELDS.index("truncated")
_SUPPORTED: Final = _FIELDS.index("supported")
_FEEDBACK: Final = _FIELDS.index("feedback")
