"""What an ingest counts, over all its runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(slots=True)
class IngestTotals:
    """Counts of records; `seconds` is the time of all runs together."""

    read: int = 0
    #: Texts that were answered with 200.
    kept: int = 0
    #: Of these, those that repeat an earlier one but for links, names, case, punctuation or emoji.
    folded: int = 0
    #: Records with an id that came before.
    repeated: int = 0
    rejected: int = 0
    #: Deletions, and texts that their source had deleted or replaced before they were sent.
    deleted: int = 0
    #: Texts whose time could not be, so that the time at which they came took its place.
    corrected: int = 0
    #: Records that hold no text, as articles without a title.
    without_text: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """Return the totals that `plain` made JSON of."""
        return cls(**{field.name: plain[field.name] for field in fields(cls) if field.name in plain})

    def plain(self) -> dict[str, Any]:
        """Return the counts as JSON has them, seconds to a hundredth."""
        return asdict(self) | {"seconds": round(self.seconds, 2)}
