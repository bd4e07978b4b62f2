"""The text store's interface: texts with their labels, and small documents beside them.

All stores pass one contract (tests/contract): embedded SQLite, MongoDB over the network, and one in memory for tests.
All methods are synchronous, may be called from any thread, and raise StoreUnavailable for any failure of the database
within about `timeout_s` seconds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

from sentiment.records import Changes, Document, Operation, Outcome, Page, TextQuery, TextRecord

#: How long a call waits for the database before it gives up.
TIMEOUT_S: Final = 5.0

#: Changes that are kept for readers who do not confirm them: hours at full load.
KEPT_CHANGES: Final = 1_000_000


class TextStore(ABC):
    """Keeps texts and documents; the database is opened by the first call."""

    @abstractmethod
    def ping(self) -> None:
        """Check that the database answers.

        Raises:
            StoreUnavailable: it does not.
        """

    @abstractmethod
    def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Apply operations in order and return their outcomes in the same order.

        It is idempotent: operations that were DONE change nothing when applied again in the same order. After it has
        returned they survive a power cut. `sentiment/store/state.py` defines each operation. Several processes may
        write: an id never names two texts.

        Raises:
            InvalidInput: a label is none of the three, or a value cannot be stored.
            StoreUnavailable: some of the operations may be done; apply all of them again.
        """

    def get(self, text_id: str) -> TextRecord | None:
        """Return the text with that id."""
        return self.get_many([text_id]).get(text_id)

    @abstractmethod
    def get_many(self, ids: Sequence[str]) -> dict[str, TextRecord]:
        """Return the texts that exist, by id."""

    @abstractmethod
    def page(self, query: TextQuery, limit: int, after: str | None = None) -> Page:
        """Return up to `limit` (1 or more) matching texts, newest first by (created_at_ms, id).

        Args:
            query: what to list; all of the words of `search` must occur (see `sentiment/store/words.py`).
            limit: most records in the page.
            after: `next_cursor` of the page before, None for the first.

        Raises:
            InvalidInput: `after` is not a cursor, or `search` has no words.
        """

    @abstractmethod
    def count(self, query: TextQuery) -> dict[str, int]:
        """Return the number of matching texts by label ("unlabelled" for none); labels without texts are absent.

        Raises:
            InvalidInput: `search` has no words.
        """

    @abstractmethod
    def delete_expired(self, now_ms: int) -> int:
        """Delete the texts whose `expires_at_ms` is `now_ms` or earlier, and old tombstones; return how many texts."""

    @abstractmethod
    def revision(self) -> int:
        """Return the revision of the last change of a text, 0 before the first. It only grows."""

    @abstractmethod
    def changes(self, after: int, limit: int) -> Changes:
        """Return which texts changed after revision `after`, the earliest changes first, about `limit` ids at most.

        Changes are recorded together with the write: a reader who follows them misses none.
        """

    @abstractmethod
    def forget_changes(self, upto: int) -> None:
        """Delete the record of changes up to revision `upto`: nobody will ask for them."""

    @abstractmethod
    def get_document(self, kind: str, name: str) -> Document | None:
        """Return one document."""

    @abstractmethod
    def list_documents(self, kind: str) -> list[Document]:
        """Return all documents of a kind, by name."""

    @abstractmethod
    def last_documents(self, kind: str, limit: int, before: str | None = None) -> list[Document]:
        """Return the `limit` (1 or more) documents of a kind with the last names, the last first; no other is read.

        With `before`, only names before it count.
        """

    @abstractmethod
    def put_document(
        self, kind: str, name: str, body: dict[str, Any], expected_generation: int | None = None
    ) -> Document:
        """Write a document, a JSON object, and return it with its new generation.

        `expected_generation` makes it a compare-and-set: the write happens only over that generation (0: no document);
        None overwrites any. Generations start again after `delete_document`, so that documents with compare-and-set,
        such as a lease, are never deleted.

        Raises:
            Conflict: the document has another generation.
        """

    @abstractmethod
    def delete_document(self, kind: str, name: str) -> bool:
        """Delete a document; return whether there was one."""

    @abstractmethod
    def close(self) -> None:
        """Close the connections. Later calls raise StoreUnavailable; closing twice is fine."""
