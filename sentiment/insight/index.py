"""The insight index's interface: one contract, kept by every index (`tests/contract/test_insight_index.py`).

The index is a read model: all that it knows stands in the text store too, and it can be made again from there. It has
one writer; readers may call from any thread, and each call sees one commit, whole.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from sentiment.insight.values import (
    ALL_TIME,
    Completion,
    Deletion,
    FacetCount,
    FacetName,
    IdPage,
    IndexedText,
    Order,
    Query,
    Span,
    Term,
    Timeline,
    TimelineComparison,
    TimeRange,
)
from sentiment.insight.why import Group, GroupSums


class InsightIndex(ABC):
    """Answers questions about many texts at once."""

    @property
    @abstractmethod
    def commit(self) -> str:
        """The name of the present content: it changes with every `apply`, and no two contents share one."""

    @property
    @abstractmethod
    def position(self) -> str:
        """What the last `apply` or `rebuild` got as its position, empty for a new index."""

    @abstractmethod
    def apply(self, deletions: Sequence[Deletion], texts: Sequence[IndexedText], position: str) -> None:
        """Delete texts and add others, each in place of the one with its id, as one commit together with `position`.

        Once this returns, readers see it and it survives a power cut. It costs some ten file syncs: call it once a
        second at most, with all that came meanwhile. A lower revision than the one there changes nothing; of equal
        ones the later replaces, and a deletion wins.

        Raises:
            Unavailable: the disk is full, or the index is closed.
        """

    @abstractmethod
    def rebuild(self, texts: Iterable[IndexedText], position: str) -> None:
        """Rebuild the content from `texts`, and swap it in as one commit together with `position`.

        Nothing of what was there stays on disk. Readers see the old content until then. What other threads `apply`
        meanwhile goes into both; the last position given counts.

        Raises:
            Unavailable: the disk is full, or the index is closed.
        """

    @abstractmethod
    def count(self, query: Query, within: TimeRange = ALL_TIME) -> int:
        """Return how many texts match."""

    @abstractmethod
    def extent(self, query: Query) -> TimeRange | None:
        """Return the least range that holds all matching texts, None where nothing matches."""

    @abstractmethod
    def timeline(self, query: Query, span: Span, now_ms: int) -> Timeline:
        """Return the counts and the sentiment of the matching texts, bucket by bucket.

        Raises:
            InvalidInput: the span is empty (`from`), its zone unknown (`tz`), or it has too many buckets (`bucket`).
        """

    @abstractmethod
    def compare(self, queries: Sequence[Query], span: Span, now_ms: int) -> TimelineComparison:
        """Return one timeline a query, all of the same commit and with the same buckets.

        Raises:
            InvalidInput: as `timeline`.
        """

    @abstractmethod
    def related(self, query: Query, limit: int, within: TimeRange = ALL_TIME) -> list[Term]:
        """Return up to `limit` words and topics that are significantly more frequent in the matching texts.

        Ordered by lift times log(1 + count); the query's own words and topics are left out.
        """

    @abstractmethod
    def facets(self, query: Query, name: FacetName, limit: int, within: TimeRange = ALL_TIME) -> list[FacetCount]:
        """Return up to `limit` values of a field that the matching texts have, the most frequent first.

        Texts without a value are in none; one of several topics is in each.
        """

    @abstractmethod
    def top(
        self, query: Query, order: Order, limit: int, within: TimeRange = ALL_TIME, after: str | None = None
    ) -> IdPage:
        """Return up to `limit` (1 or more) matching texts: the newest, the most positive or the most negative ones.

        `positive` and `negative` leave out texts without a sentiment, and take it rounded to four decimals; among
        equals the newest minute comes first.

        Args:
            query: what to list.
            order: what comes first.
            limit: most ids in the page.
            within: when the texts were written.
            after: `next_cursor` of the page before, None for the first.

        Raises:
            InvalidInput: the cursor is none (`after`).
        """

    @abstractmethod
    def groups(self, query: Query, within: TimeRange = ALL_TIME, topics: int = 200) -> Mapping[Group, GroupSums]:
        """Return the matching texts with a sentiment, by topic and model version (`sentiment.insight.why`).

        A text of k topics weighs 1/k in each. Beyond the most frequent `topics` all are one, `OTHER_TOPICS`; those
        without a topic have None, and so have texts that no model has labelled for their version.
        """

    @abstractmethod
    def complete(self, prefix: str, limit: int) -> list[Completion]:
        """Return up to `limit` words and topics that begin with `prefix`, the most frequent first.

        After a `#` these are topics only. Where `prefix` has several words, the last one counts; none after a blank.
        """

    @abstractmethod
    def close(self) -> None:
        """Release files and locks. Later calls raise Unavailable; closing twice is fine."""
