"""The words of a text for the search: the same in every store, in any script, and never query syntax."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from sentiment.errors import InvalidInput

# Scripts written without spaces are searched character by character, and so are symbols such as emoji. Signs and vowel
# marks belong to their word, though `\w` leaves them out.
_SPACELESS: Final = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_SYMBOLS: Final = r"\u2190-\u2bff\U0001f000-\U0001faff"
_MARKS: Final = r"\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0963\u0966-\u0dff"
_WORD: Final = re.compile(rf"[{_SPACELESS}{_SYMBOLS}]|(?:[^\W_{_SPACELESS}]|[{_MARKS}])+")


def word_sequence(text: str) -> list[str]:
    """Return the words of a text one after the other, case folded, repeats included."""
    return _WORD.findall(unicodedata.normalize("NFKC", text.casefold()))


def words_of(text: str) -> list[str]:
    """Return the different words of a text, case folded, in the order of their first occurrence."""
    return list(dict.fromkeys(word_sequence(text)))


def words_to_find(search: str) -> list[str]:
    """Return the words that a search asks for, at least one.

    Raises:
        InvalidInput: there is none.
    """
    words = words_of(search)
    if not words:
        raise InvalidInput("search has no words; write one or more words that the text must contain.", "search")
    return words
