"""Which texts a version can read: those that are not certainly in another language, of pieces that it mostly knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sentiment.language import UNTOLD, Identify, detect_language

#: Of more unknown pieces a version says nothing that could be trusted: it has not seen what the text is about.
MOST_UNKNOWN: Final = 1 / 3


@dataclass(frozen=True, slots=True)
class Reading:
    """A text's language by its code, None where it cannot be told, and whether the version can read the text."""

    language: str | None
    is_supported: bool


@dataclass(frozen=True)
class LanguageGate:
    """Tells of texts whether a version of these `languages` (none: any) reads them. Threads may share one.

    Without `identify` no language is told, and only unknown pieces count.
    """

    languages: Sequence[str]
    identify: Identify | None

    def read(self, text: str, unknown_share: float) -> Reading:
        """Return what is known of a normalised text of whose pieces such a share is unknown to the version."""
        detected = detect_language(text, self.languages, self.identify) if self.identify else UNTOLD
        return Reading(detected.language, unknown_share <= MOST_UNKNOWN and not detected.is_foreign)
