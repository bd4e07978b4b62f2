"""The changes of texts in MongoDB: a document a write, numbered without gaps, written after the texts themselves.

A writer that dies between the two has promised nothing: its journal is replayed, and notes its ids then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from pymongo import DESCENDING
from pymongo.collection import Collection as Documents
from pymongo.errors import DuplicateKeyError

from sentiment.records import Changes

_ATTEMPTS: Final = 100
#: Writes that are kept for those who follow them, and how often older ones are looked for.
_KEPT_WRITES: Final = 100_000
_TRIM_EVERY: Final = 1000


class MongoChanges:
    """Notes and reads changes in a collection; the caller translates the driver's errors.

    Numbers are strings of one length: simpler servers of MongoDB's protocol order an `_id` as text.
    """

    def __init__(self, documents: Documents[dict[str, Any]]) -> None:
        self._documents = documents

    def note(self, ids: Collection[str]) -> bool:
        """Note that texts changed; return False where other writers were faster each time."""
        for _ in range(_ATTEMPTS if ids else 0):
            revision = self.last() + 1
            try:
                self._documents.insert_one({"_id": _name(revision), "ids": list(ids)})
            except DuplicateKeyError:  # another writer took the number: the next one follows it, so no gap is ever seen
                continue
            if revision % _TRIM_EVERY == 0:
                self.forget(revision - _KEPT_WRITES)
            return True
        return not ids

    def last(self) -> int:
        """Return the revision of the last change, 0 before the first."""
        newest = self._documents.find_one({}, {"_id": 1}, sort=[("_id", DESCENDING)])
        return int(newest["_id"]) if newest else 0

    def read(self, after: int, limit: int) -> Changes:
        """Return what changed after a revision; see `TextStore.changes`."""
        last = self.last()
        ids: list[str] = []
        revision = after
        for change in self._documents.find({"_id": {"$gt": _name(after)}}).sort("_id").limit(limit):
            if int(change["_id"]) != revision + 1:
                return Changes([], last, is_whole=False)
            ids, revision = ids + change["ids"], revision + 1
            if len(ids) >= limit:
                break
        if revision == after != last:
            return Changes([], last, is_whole=False)
        return Changes(_distinct(ids), revision)

    def forget(self, upto: int) -> None:
        """Drop the changes up to a revision; the last one stays, since the next is numbered after it."""
        self._documents.delete_many({"_id": {"$lte": _name(min(upto, self.last() - 1))}})


def _name(revision: int) -> str:
    return f"{max(revision, 0):020d}"


def _distinct(ids: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(ids))
