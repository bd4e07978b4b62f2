"""What a source gives: texts, deletions and what cannot be read, each with the position behind it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Protocol

#: Where a source goes on: JSON that only the source itself reads.
Position = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SourceText:
    """A text as its source has it. The id is the same whenever this text comes."""

    id: str
    text: str
    #: When it was written; None where the source does not say, or says what cannot be.
    created_at_ms: int | None = None
    author: str | None = None
    topics: tuple[str, ...] = ()
    #: Its true label, where one came along.
    label: str | None = None
    #: Whether the source's time was left out because it cannot be.
    is_corrected: bool = False
    #: Whether it replaces what came under its id before.
    is_revision: bool = False


@dataclass(frozen=True, slots=True)
class SourceDeletion:
    """The source has deleted the text of this id, which may never have come."""

    id: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something that is not a record: the reason, and what could be read of it."""

    reason: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Passed:
    """A part of the source without a text: the number of its records, which may be 0."""

    records: int = 0


SourceRecord = SourceText | SourceDeletion | Rejected | Passed


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record, its place in the source (a row, a line), and the position from which the source goes on behind it."""

    record: SourceRecord
    place: int
    position: Position

    @property
    def records(self) -> int:
        """How many records of the source it stands for."""
        return self.record.records if isinstance(self.record, Passed) else 1


class TextSource(Protocol):
    """Something that texts come from. It may be read several times, one reader at a time."""

    @property
    def expected(self) -> int | None:
        """How many records it has in all; None where nobody knows."""

    def arrivals(self, position: Position | None) -> AsyncGenerator[Arrival]:
        """Yield what comes behind `position`, from the beginning if that is None.

        Raises:
            InvalidInput: what stands at `position` is not what stood there.
        """
