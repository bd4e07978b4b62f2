"""The text store's interface: texts with their labels, and small documents beside them.

One contract, kept by every store (tests/contract): embedded SQLite, MongoDB over the wire, and one in memory for tests.
All methods are synchronous, may be called from any thread, and raise StoreUnavailable for whatever the database does
wrong, within about `timeout_s` seconds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

from sentiment.records import Changes, Document, Operation, Outcome, Page, TextQuery, TextRecord

#: How long a call waits for the database before it gives up.
TIMEOUT_S: Final = 5.0

#: How many changes are kept for those who follow them, if they do not say that they have them: hours at full load.
KEPT_CHANGES: Final = 1_000_000


class TextStore(ABC):
    """Keeps texts and documents. Opening one costs nothing: the database is first touched by the first call."""

    @abstractmethod
    def ping(self) -> None:
        """Return when the database answers.

        Raises:
            StoreUnavailable: it does not.
        """

    @abstractmethod
    def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Carry out operations in order and return what became of each, in the same order.

        Idempotent: what was DONE, applied again in the same order, changes nothing. Once this returns, it survives a
        power cut. What an operation does to a text is written down in `sentiment/store/state.py`. Safe with several
        writing processes: an id never stands for two texts.

        Raises:
            InvalidInput: a label is none of the three, or a value is not one that a database can hold.
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
            InvalidInput: the cursor is none (`after`), or the search holds no word (`search`).
        """

    @abstractmethod
    def count(self, query: TextQuery) -> dict[str, int]:
        """Return how many matching texts have each label; those without one count as "unlabelled".

        Labels that no text has are left out.

        Raises:
            InvalidInput: the search holds no word (`search`).
        """

    @abstractmethod
    def delete_expired(self, now_ms: int) -> int:
        """Delete the texts whose `expires_at_ms` is `now_ms` or before; return how many.

        Tombstones older than TOMBSTONE_MS go with them.
        """

    @abstractmethod
    def revision(self) -> int:
        """Return the revision of the last change of a text, 0 before the first. It only grows."""

    @abstractmethod
    def changes(self, after: int, limit: int) -> Changes:
        """Return which texts changed after revision `after`, the earliest changes first, about `limit` ids at most.

        A change is noted with the write itself: who follows the changes and reads the texts misses none.
        """

    @abstractmethod
    def forget_changes(self, upto: int) -> None:
        """Drop what is kept of the changes up to revision `upto`: nobody will ask for them."""

    @abstractmethod
    def get_document(self, kind: str, name: str) -> Document | None:
        """Return one document."""

    @abstractmethod
    def list_documents(self, kind: str) -> list[Document]:
        """Return all documents of a kind, by name."""

    @abstractmethod
    def last_documents(self, kind: str, limit: int, before: str | None = None) -> list[Document]:
        """Return the `limit` documents, 1 or more, of a kind with the last names, the last first; no other is read.

        `before` leaves out its own document and those with later names.
        """

    @abstractmethod
    def put_document(
        self, kind: str, name: str, body: dict[str, Any], expected_generation: int | None = None
    ) -> Document:
        """Write a document, a JSON object, and return it with its new generation.

        `expected_generation` makes it a compare-and-set: the write happens only over that generation, 0 meaning that
        there is none yet; None writes over whatever is there. Generations start anew after `delete_document`, so what
        is compared (a lease) is overwritten, never deleted.

        Raises:
            Conflict: another generation is there.
        """

    @abstractmethod
    def delete_document(self, kind: str, name: str) -> bool:
        """Delete a document; return whether there was one."""

    @abstractmethod
    def close(self) -> None:
        """Give back connections. Later calls raise StoreUnavailable; closing twice is fine."""
