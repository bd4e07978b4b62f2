"""A text store in memory: the reference of the contract tests, and a fake for other tests."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from typing_extensions import override

from sentiment.errors import Conflict, StoreUnavailable
from sentiment.records import Changes, Document, Operation, Outcome, Page, TextQuery, TextRecord
from sentiment.store.base import KEPT_CHANGES, TextStore
from sentiment.store.cursor import page_of, position_of
from sentiment.store.state import NOTHING, TOMBSTONE_MS, StoreState, fold, id_of
from sentiment.store.words import words_of, words_to_find


class MemoryStore(TextStore):
    """Keeps everything in dictionaries. `available = False` makes every call raise StoreUnavailable."""

    def __init__(self) -> None:
        self.available = True
        self._states: dict[str, StoreState] = {}
        self._documents: dict[tuple[str, str], tuple[int, str]] = {}
        self._changed: list[str] = []
        self._forgotten = 0
        self._lock = threading.Lock()

    @override
    def ping(self) -> None:
        with self._database():
            pass

    @override
    def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        with self._database():
            states = {text_id: self._states.get(text_id, NOTHING) for text_id in map(id_of, operations)}
            outcomes = fold(states, operations)
            changed = [text_id for text_id, state in states.items() if state is not self._states.get(text_id, NOTHING)]
            self._states.update(states)
            self._note(changed)
            return outcomes

    @override
    def get_many(self, ids: Sequence[str]) -> dict[str, TextRecord]:
        with self._database():
            records = {text_id: self._states.get(text_id, NOTHING).record for text_id in ids}
        return {text_id: record for text_id, record in records.items() if record is not None}

    @override
    def page(self, query: TextQuery, limit: int, after: str | None = None) -> Page:
        position = position_of(after)
        records = sorted(self._matching(query), key=_place, reverse=True)
        return page_of([record for record in records if position is None or _place(record) < position], limit)

    @override
    def count(self, query: TextQuery) -> dict[str, int]:
        return dict(Counter(record.label or "unlabelled" for record in self._matching(query)))

    @override
    def delete_expired(self, now_ms: int) -> int:
        with self._database():
            expired = [text_id for text_id, state in self._states.items() if _is_expired(state.record, now_ms)]
            for text_id in expired:
                self._states[text_id] = StoreState(None, self._states[text_id].deleted_at_ms)
            self._states = {text_id: state for text_id, state in self._states.items() if _is_kept(state, now_ms)}
            self._note(expired)
            return len(expired)

    @override
    def revision(self) -> int:
        with self._database():
            return self._forgotten + len(self._changed)

    @override
    def changes(self, after: int, limit: int) -> Changes:
        with self._database():
            last = self._forgotten + len(self._changed)
            if not self._forgotten <= after <= last:
                return Changes([], last, is_whole=False)
            start = after - self._forgotten
            changed = self._changed[start : start + limit]
        return Changes(list(dict.fromkeys(changed)), after + len(changed))

    @override
    def forget_changes(self, upto: int) -> None:
        with self._database():
            self._forget(upto)

    @override
    def get_document(self, kind: str, name: str) -> Document | None:
        with self._database():
            return self._document(kind, name)

    @override
    def list_documents(self, kind: str) -> list[Document]:
        with self._database():
            keys = sorted(key for key in self._documents if key[0] == kind)
            return [
                Document(*key, generation, json.loads(body))
                for key in keys
                for generation, body in [self._documents[key]]
            ]

    @override
    def last_documents(self, kind: str, limit: int, before: str | None = None) -> list[Document]:
        documents = [document for document in self.list_documents(kind) if before is None or document.name < before]
        return documents[::-1][:limit]

    @override
    def put_document(
        self, kind: str, name: str, body: dict[str, Any], expected_generation: int | None = None
    ) -> Document:
        with self._database():
            generation = self._documents.get((kind, name), (0, ""))[0]
            if expected_generation is not None and generation != expected_generation:
                raise Conflict(f"{kind} {name} has generation {generation}, not {expected_generation}; read it again.")
            self._documents[kind, name] = generation + 1, json.dumps(body)
            return Document(kind, name, generation + 1, json.loads(json.dumps(body)))

    @override
    def delete_document(self, kind: str, name: str) -> bool:
        with self._database():
            return self._documents.pop((kind, name), None) is not None

    @override
    def close(self) -> None:
        self.available = False

    def _note(self, ids: Sequence[str]) -> None:
        self._changed += ids
        self._forget(self._forgotten + len(self._changed) - KEPT_CHANGES)

    def _forget(self, upto: int) -> None:
        count = max(0, min(upto - self._forgotten, len(self._changed)))
        del self._changed[:count]
        self._forgotten += count

    @contextmanager
    def _database(self) -> Iterator[None]:
        with self._lock:
            if not self.available:
                raise StoreUnavailable("The text store does not answer; try again later.")
            yield

    def _document(self, kind: str, name: str) -> Document | None:
        stored = self._documents.get((kind, name))
        return stored and Document(kind, name, stored[0], json.loads(stored[1]))

    def _matching(self, query: TextQuery) -> list[TextRecord]:
        words = None if query.search is None else set(words_to_find(query.search))
        with self._database():
            records = [state.record for state in self._states.values() if state.record is not None]
        return [
            record
            for record in records
            if _matches(query, record) and (words is None or words <= set(words_of(record.text)))
        ]


def _matches(query: TextQuery, record: TextRecord) -> bool:
    return (
        query.label in (None, record.label)
        and query.source in (None, record.source)
        and query.author_key in (None, record.author_key)
        and query.model_version in (None, record.model_version)
        and (query.topic is None or query.topic in record.topics)
        and (query.created_from_ms is None or query.created_from_ms <= record.created_at_ms)
        and (query.created_to_ms is None or record.created_at_ms < query.created_to_ms)
    )


def _place(record: TextRecord) -> tuple[int, str]:
    return record.created_at_ms, record.id


def _is_expired(record: TextRecord | None, now_ms: int) -> bool:
    return record is not None and record.expires_at_ms is not None and record.expires_at_ms <= now_ms


def _is_kept(state: StoreState, now_ms: int) -> bool:
    return state.record is not None or (state.deleted_at_ms or 0) > now_ms - TOMBSTONE_MS
