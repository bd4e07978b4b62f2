"""Feeds the index from the text store: what changed is read back, and its final state replaces what the index has.

The store notes the ids of what it changes under revisions that only grow (`TextStore.changes`). The index keeps the
revision up to which it has everything, in one commit with the texts: whatever dies in between, the same changes are
read once more and give the same content.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Final, Self

from sentiment.errors import Conflict, StoreUnavailable
from sentiment.identifiers import new_id
from sentiment.insight.documents import indexed_text
from sentiment.insight.index import InsightIndex
from sentiment.insight.values import Deletion, IndexedText
from sentiment.records import TextQuery
from sentiment.store.base import TextStore

#: Ids that are read from the store at a time, and that one commit takes.
_READ_IDS: Final = 2000
_COMMIT_IDS: Final = 20_000
_PAGE: Final = 1000
#: Changes that the store keeps although the index has them, for an index that takes its place.
_LEFT_CHANGES: Final = 10_000
_IDENTITY: Final = ("store", "identity")


@dataclass(frozen=True, slots=True)
class Place:
    """How far the index has followed the store."""

    #: The store's identity: revisions of another store mean nothing here.
    store: str
    revision: int
    #: When the last rebuild from all texts started.
    made_at_ms: int
    #: Whether words of texts that were deleted since may still be on disk.
    has_erased: bool = False

    @classmethod
    def read(cls, position: str) -> Self | None:
        """Return the place that an index's `position` names, None for one of a new index."""
        try:
            return cls(**json.loads(position))
        except (ValueError, TypeError):
            return None

    @property
    def position(self) -> str:
        """The place as the index keeps it."""
        return json.dumps(asdict(self))


@dataclass(slots=True)
class Progress:
    """How far a rebuild from all texts has come; `of` is 0 where their number is unknown."""

    texts: int = 0
    of: int = 0

    def __str__(self) -> str:
        return f"{self.texts:,} of {self.of:,}" if self.of else f"{self.texts:,} so far"


class Feed:
    """Brings one index up to the store. `follow` has one caller; `rebuild` may run beside it."""

    def __init__(self, store: TextStore, index: InsightIndex, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._index = index
        self._now_ms = now_ms
        self._identity = _identity_of(store)
        self._lock = threading.Lock()
        self._place = Place.read(index.position)
        self._erased_meanwhile = False
        self.progress = Progress()

    @property
    def place(self) -> Place | None:
        """How far the index has followed the store; None before it was built from this store."""
        return self._place if self._place and self._place.store == self._identity else None

    def pending(self) -> int:
        """Return how many changes the index lacks.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        return max(0, self._store.revision() - self.place.revision) if self.place else 0

    def follow(self) -> int | None:
        """Bring up to some 20,000 changed texts into the index as one commit, and return how many.

        None where that is not possible since the index has lost its place, and must be made anew.

        Raises:
            StoreUnavailable: the store does not answer; the index is as it was.
            Unavailable: the index cannot be written; likewise.
        """
        place = self.place
        if place is None:
            return None
        texts: dict[str, IndexedText | Deletion] = {}
        revision = place.revision
        while len(texts) < _COMMIT_IDS:
            changes = self._store.changes(revision, _READ_IDS)
            if not changes.is_whole:
                return None
            if changes.revision == revision:
                break
            revision = changes.revision
            texts |= self._final_states(changes.ids, revision)
        if texts:
            self._apply(place, texts, revision)
        return len(texts)

    def rebuild(self) -> None:
        """Rebuild the index from all texts of the store, which removes deleted words from the disk.

        Raises:
            StoreUnavailable: the store does not answer; the index is as it was.
            Unavailable: the index cannot be written; likewise.
        """
        with self._lock:
            self._erased_meanwhile = False
        place = Place(self._identity, self._store.revision(), self._now_ms())
        self.progress = Progress(0, self._texts_in_store())
        self._index.rebuild(self._all_texts(place.revision), place.position)
        with self._lock:
            followed = self.place.revision if self.place else 0  # what came meanwhile is in the new content too
            self._place = replace(place, revision=max(place.revision, followed), has_erased=self._erased_meanwhile)

    def forget(self) -> None:
        """Let the store drop the changes that the index has.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        if self.place:
            self._store.forget_changes(self.place.revision - _LEFT_CHANGES)

    def _texts_in_store(self) -> int:
        try:
            return sum(self._store.count(TextQuery()).values())
        except (
            StoreUnavailable
        ):  # to count many millions may take longer than the store lets it: only a message needs it
            return 0

    def _final_states(self, ids: list[str], revision: int) -> dict[str, IndexedText | Deletion]:
        records = self._store.get_many(ids)
        return {id_: indexed_text(records[id_], revision) if id_ in records else Deletion(id_, revision) for id_ in ids}

    def _apply(self, place: Place, states: dict[str, IndexedText | Deletion], revision: int) -> None:
        deletions = [state for state in states.values() if isinstance(state, Deletion)]
        texts = [state for state in states.values() if isinstance(state, IndexedText)]
        has_erased = bool(deletions)
        with self._lock:
            self._erased_meanwhile |= has_erased
            further = _further(self._place or place, revision, has_erased=has_erased)
        self._index.apply(deletions, texts, further.position)
        with self._lock:  # a rebuild may have come to its end meanwhile
            self._place = _further(self._place or place, revision, has_erased=has_erased)

    def _all_texts(self, revision: int) -> Iterator[IndexedText]:
        cursor = None
        while True:
            page = self._store.page(TextQuery(), _PAGE, cursor)
            for record in page.records:
                yield indexed_text(record, revision)
            self.progress.texts += len(page.records)
            cursor = page.next_cursor
            if cursor is None:
                return


def _further(place: Place, revision: int, *, has_erased: bool) -> Place:
    return replace(place, revision=max(revision, place.revision), has_erased=place.has_erased or has_erased)


def _identity_of(store: TextStore) -> str:
    """Return the identity of a store, which the first caller creates."""
    document = store.get_document(*_IDENTITY)
    if document is None:
        try:
            document = store.put_document(*_IDENTITY, {"id": new_id()}, expected_generation=0)
        except Conflict:
            return _identity_of(store)
    return str(document.body["id"])
