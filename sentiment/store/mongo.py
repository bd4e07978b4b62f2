"""The text store in MongoDB 7 or later, for clusters.

There is one document for each id: a text, or its tombstone. Each write has a new `rev` and replaces only the `rev` that
it was computed from, so that several sinks can write without transactions. It uses only what simpler servers of
MongoDB's protocol also support: int64 times (`expires_at` is for the TTL index only), `$all` for arrays, and `id`
beside `_id`, because not all of them index `_id` together with other fields.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

import pymongo
from bson.errors import BSONError
from pymongo import DESCENDING, IndexModel, InsertOne, MongoClient, ReplaceOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern
from typing_extensions import override

from sentiment.errors import Conflict, InvalidInput, InvalidSettings, StoreUnavailable
from sentiment.records import Changes, Document, Operation, Outcome, Page, TextQuery, TextRecord
from sentiment.store.base import TIMEOUT_S, TextStore
from sentiment.store.cursor import page_of, position_of
from sentiment.store.mongo_changes import MongoChanges
from sentiment.store.mongo_mapping import Fields, document_of, record_of, text_fields, tombstone_fields, where_of
from sentiment.store.state import NOTHING, TOMBSTONE_MS, StoreState, fold, id_of

_NEWEST_FIRST: Final = [("created_at_ms", DESCENDING), ("id", DESCENDING)]
_INDEXES: Final = (
    IndexModel([("live", 1), *_NEWEST_FIRST]),
    IndexModel([("words", 1)]),
    IndexModel([("topics", 1)]),
    IndexModel([("expires_at", 1)], expireAfterSeconds=0),
)
_DUPLICATE_KEY: Final = 11000
_REFUSED: Final = (13, 18)  # Unauthorized, AuthenticationFailed
_ATTEMPTS: Final = 10

_AWAY: Final = "The text store does not answer; try again later."
_DENIED: Final = "The text store refuses the user in UNDERTONE_MONGO_URI; check the password and the roles."
_CONTENDED: Final = "Too many writers change the same entry of the text store; try again."
_UNFIT: Final = "A value is too large, or a text has half a surrogate pair, which cannot be stored; correct it."


@dataclass(frozen=True, slots=True)
class _Stored:
    """The stored state that an operation is computed from; `rev` is None if there is none."""

    state: StoreState = NOTHING
    rev: str | None = None


class MongoStore(TextStore):
    """Keeps texts and documents in one database of the server at `uri`.

    Raises:
        InvalidSettings: `uri` is not a MongoDB address.
    """

    def __init__(self, uri: str, database: str, timeout_s: float = TIMEOUT_S) -> None:
        milliseconds = int(timeout_s * 1000)
        try:
            self._client: MongoClient[Fields] = MongoClient(
                uri,
                appname="undertone",
                connect=False,
                serverSelectionTimeoutMS=milliseconds,
                connectTimeoutMS=milliseconds,
            )
        except (PyMongoError, ValueError):  # whose message may hold the password
            raise InvalidSettings(
                "UNDERTONE_MONGO_URI is not an address like mongodb://host:27017/.", "MONGO_URI"
            ) from None
        options = {"write_concern": WriteConcern("majority"), "read_concern": ReadConcern("majority")}
        self._texts = self._client.get_database(database, **options).get_collection("texts")  # type: ignore[arg-type]
        self._documents = self._client.get_database(database, **options).get_collection("documents")  # type: ignore[arg-type]
        self._changes = MongoChanges(
            self._client.get_database(database, **options).get_collection("changes")  # type: ignore[arg-type]
        )
        self._timeout_s = timeout_s
        self._indexing = threading.Lock()
        self._indexed = False

    @override
    def ping(self) -> None:
        with self._calling():
            self._client.admin.command("ping")

    @override
    def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        remaining = list(enumerate(operations))
        with self._calling():
            self._ensure_indexes()
            for _ in range(_ATTEMPTS):
                attempted, lost = self._try([operation for _, operation in remaining])
                decided = zip(remaining, attempted, strict=True)
                outcomes |= {n: outcome for (n, operation), outcome in decided if id_of(operation) not in lost}
                remaining = [(n, operation) for n, operation in remaining if id_of(operation) in lost]
                if not remaining:
                    self._note({id_of(operation) for operation in operations})
                    return [outcomes[n] for n in range(len(operations))]
        raise StoreUnavailable(_CONTENDED)

    @override
    def get_many(self, ids: Sequence[str]) -> dict[str, TextRecord]:
        with self._calling():
            rows = list(self._texts.find({"_id": {"$in": list(ids)}, "live": True}, {"words": 0}))
        return {record.id: record for record in map(record_of, rows)}

    @override
    def page(self, query: TextQuery, limit: int, after: str | None = None) -> Page:
        where = where_of(query)
        if position := position_of(after):
            created_at_ms, text_id = position
            same_time = {"created_at_ms": created_at_ms, "id": {"$lt": text_id}}
            where["$or"] = [{"created_at_ms": {"$lt": created_at_ms}}, same_time]
        with self._calling():
            rows = list(self._texts.find(where, {"words": 0}).sort(_NEWEST_FIRST).limit(limit + 1))
        return page_of([record_of(fields) for fields in rows], limit)

    @override
    def count(self, query: TextQuery) -> dict[str, int]:
        groups = [{"$match": where_of(query)}, {"$group": {"_id": "$label", "texts": {"$sum": 1}}}]
        with self._calling():
            return {group["_id"] or "unlabelled": group["texts"] for group in self._texts.aggregate(groups)}

    @override
    def delete_expired(self, now_ms: int) -> int:
        expired = {"live": True, "expires_at_ms": {"$lte": now_ms}}
        with self._calling():
            ids = [values["_id"] for values in self._texts.find(expired, {"_id": 1})]
            deleted = self._texts.delete_many(expired)
            self._note(ids)
            self._texts.delete_many({"live": False, "deleted_at_ms": {"$lte": now_ms - TOMBSTONE_MS}})
        return deleted.deleted_count

    @override
    def revision(self) -> int:
        with self._calling():
            return self._changes.last()

    @override
    def changes(self, after: int, limit: int) -> Changes:
        with self._calling():
            return self._changes.read(after, limit)

    @override
    def forget_changes(self, upto: int) -> None:
        with self._calling():
            self._changes.forget(upto)

    @override
    def get_document(self, kind: str, name: str) -> Document | None:
        with self._calling():
            values = self._documents.find_one({"_id": f"{kind}:{name}"})
        return document_of(values) if values else None

    @override
    def list_documents(self, kind: str) -> list[Document]:
        with self._calling():
            rows = list(self._documents.find({"kind": kind}))
        return sorted(map(document_of, rows), key=lambda document: document.name)

    @override
    def last_documents(self, kind: str, limit: int, before: str | None = None) -> list[Document]:
        end = f"{kind};" if before is None else f"{kind}:{before}"  # `;` follows `:`
        query = {"_id": {"$gte": f"{kind}:", "$lt": end}, "kind": kind}
        with self._calling():
            rows = list(self._documents.find(query).sort("_id", -1).limit(limit))
        return list(map(document_of, rows))

    @override
    def put_document(
        self, kind: str, name: str, body: dict[str, Any], expected_generation: int | None = None
    ) -> Document:
        for _ in range(_ATTEMPTS):
            present = self.get_document(kind, name)
            generation = present.generation if present else 0
            if expected_generation is not None and generation != expected_generation:
                raise Conflict(f"{kind} {name} has generation {generation}, not {expected_generation}; read it again.")
            document = Document(kind, name, generation + 1, json.loads(json.dumps(body)))
            if self._replace_document(document):
                return document
        raise StoreUnavailable(_CONTENDED)

    @override
    def delete_document(self, kind: str, name: str) -> bool:
        with self._calling():
            return self._documents.delete_one({"_id": f"{kind}:{name}"}).deleted_count > 0

    @override
    def close(self) -> None:
        self._client.close()

    def _note(self, ids: Collection[str]) -> None:
        # Of all operations, also of those that changed nothing: a replay after a crash notes what the crash did not.
        if not self._changes.note(ids):
            raise StoreUnavailable(_CONTENDED)

    def _replace_document(self, document: Document) -> bool:
        key = {"_id": f"{document.kind}:{document.name}"}
        values = asdict(document) | {"body": json.dumps(document.body)}
        with self._calling():
            if document.generation > 1:
                before = key | {"generation": document.generation - 1}
                return self._documents.replace_one(before, values).matched_count == 1
            try:
                self._documents.insert_one(key | values)
            except DuplicateKeyError:
                return False
        return True

    def _try(self, operations: Sequence[Operation]) -> tuple[list[Outcome], set[str]]:
        """Return the outcomes, and the ids that another writer changed meanwhile: their operations were not done."""
        before = self._load({id_of(operation) for operation in operations})
        after = {text_id: stored.state for text_id, stored in before.items()}
        outcomes = fold(after, operations)
        return outcomes, self._save(before, after)

    def _load(self, ids: Iterable[str]) -> dict[str, _Stored]:
        before = dict.fromkeys(ids, _Stored())
        for values in self._texts.find({"_id": {"$in": list(before)}}, {"words": 0}):
            state = StoreState(record_of(values) if values["live"] else None, values["deleted_at_ms"])
            before[values["_id"]] = _Stored(state, values["rev"])
        return before

    def _save(self, before: Mapping[str, _Stored], after: Mapping[str, StoreState]) -> set[str]:
        rev = uuid.uuid4().hex
        changed = [text_id for text_id, state in after.items() if state is not before[text_id].state]
        replaced = {text_id for text_id in changed if before[text_id].rev is not None}
        if not changed:
            return set()
        writes = [_write(text_id, before[text_id].rev, after[text_id], rev) for text_id in changed]
        matched, refused = self._write_all(writes)
        lost = {changed[n] for n in refused}
        if matched < len(replaced):
            mine = self._texts.find({"_id": {"$in": list(replaced)}, "rev": rev}, {"rev": 1})
            lost |= replaced - {values["_id"] for values in mine}
        return lost

    def _write_all(self, writes: list[InsertOne[Fields] | ReplaceOne[Fields]]) -> tuple[int, list[int]]:
        """Return how many replacements matched, and which inserts came too late."""
        try:
            return self._texts.bulk_write(writes, ordered=False).matched_count, []
        except BulkWriteError as exc:
            errors = exc.details["writeErrors"]
            if exc.details["writeConcernErrors"] or any(error["code"] != _DUPLICATE_KEY for error in errors):
                raise
            return exc.details["nMatched"], [error["index"] for error in errors]

    def _ensure_indexes(self) -> None:
        with self._indexing:
            if not self._indexed:
                self._texts.create_indexes(list(_INDEXES))
                self._indexed = True

    @contextmanager
    def _calling(self) -> Iterator[None]:
        try:
            with pymongo.timeout(self._timeout_s):
                yield
        except BulkWriteError:  # its message holds the texts that were to be written
            raise StoreUnavailable(_AWAY) from None
        except PyMongoError as exc:
            denied = isinstance(exc, OperationFailure) and exc.code in _REFUSED
            raise StoreUnavailable(_DENIED if denied else _AWAY) from exc
        except (BSONError, OverflowError, UnicodeEncodeError) as exc:
            raise InvalidInput(_UNFIT) from exc


def _write(text_id: str, old_rev: str | None, state: StoreState, rev: str) -> InsertOne[Fields] | ReplaceOne[Fields]:
    values = {"id": text_id, "live": state.record is not None, "deleted_at_ms": state.deleted_at_ms, "rev": rev}
    values |= tombstone_fields(state) if state.record is None else text_fields(state.record)
    if old_rev is None:
        return InsertOne({"_id": text_id} | values)
    return ReplaceOne({"_id": text_id, "rev": old_rev}, values)
