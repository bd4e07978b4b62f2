"""The words of a text and of a search, as the index holds them."""

from __future__ import annotations

import re
from typing import Final

from sentiment.store.words import word_sequence

#: Longer words are cut: an index takes no word of 65,531 bytes or more.
MAX_WORD_CHARACTERS: Final = 200

_HALVES: Final = re.compile("[\ud800-\udfff]")


def whole_characters(text: str) -> str:
    """Return `text` with each half of a character, which no file can hold, replaced by U+FFFD."""
    return _HALVES.sub("\ufffd", text)


def indexed_words(text: str) -> tuple[str, ...]:
    """Return all words in the text's order, repeats included, each cut to MAX_WORD_CHARACTERS."""
    return tuple(word[:MAX_WORD_CHARACTERS] for word in word_sequence(text))
