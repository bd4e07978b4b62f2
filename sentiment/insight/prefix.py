"""The beginning of a word or topic that a user has typed, folded as words and topics are."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from sentiment.insight.words import MAX_WORD_CHARACTERS, whole_characters


@dataclass(frozen=True, slots=True)
class Prefix:
    """What terms have to begin with; `topics_only` after a `#`."""

    text: str
    topics_only: bool

    @property
    def is_begun(self) -> bool:
        """Whether there is something to complete; a `#` alone is."""
        return bool(self.text) or self.topics_only


def prefix_of(typed: str) -> Prefix:
    """Return the beginning of the last word in `typed`; empty after a blank, when nothing is begun yet."""
    last = "" if typed[-1:].isspace() else (typed.split() or [""])[-1].lstrip('("')
    folded = unicodedata.normalize("NFKC", whole_characters(last).casefold())
    return Prefix(folded.removeprefix("#")[:MAX_WORD_CHARACTERS], folded.startswith("#"))
