"""What follows from a text's likely languages: the one that is told, and whether a model that knows some can read it.

A text is foreign only where that is certain: an English sentence with a few words of another language, a list of names
or a cry must not lose its answer. The bounds were chosen on the 2,000 tweets of TweetEval's validation set and on some
400 sentences written for it, English and of 60 other languages (docs/results.md has the figures).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Final

from sentiment.language.identifier import Identify
from sentiment.text import MARKS

#: Letters that are enough to tell a language by, counted in bytes of UTF-8: a letter outside Latin tells more.
LEAST_LETTERS: Final = 20
#: From so many letters on the bounds are the wider ones.
_MANY_LETTERS: Final = 30
#: What the model's own languages may be likely together for a text to be foreign still: with few and with many letters.
_MOST_OWN: Final = (0.05, 0.08)
#: How likely the four likeliest others must be together (Croatian looks like Bosnian, Serbian and Slovenian as well).
_LEAST_OTHERS: Final = (0.75, 0.3)
_OTHERS: Final = 4
#: How likely a language must be to be told.
_LEAST_TOLD: Final = 0.5
#: From such a share of a language's telling words on, a text is in that language, with borrowed words or names.
_TELLING_SHARE: Final = 1 / 6
#: The same for the letters of the parts of a text, between punctuation marks, that are in that language by themselves.
_OWN_PARTS_SHARE: Final = 1 / 6
_LEAST_LETTERS_OF_A_PART: Final = 8
_LEAST_OWN_OF_A_PART: Final = 0.7
#: What the model's own languages may be likely together in a text without its names, where they are likelier than the
#: whole text's language. Of what it knows no part of, the identifier says 0.125 for English.
_MOST_OWN_WITHOUT_NAMES: Final = 0.12
#: Letters that must be left without the names; where all words are capitalised, how likely the others must be instead.
_LEAST_LETTERS_WITHOUT_NAMES: Final = 8
_LEAST_OTHERS_IF_CAPITALISED: Final = 0.95
_LEAST_WORDS: Final = 3
#: Longer texts are identified by so many characters at their beginning, middle and end.
_LONG_CHARACTERS: Final = 160
_SLICE_CHARACTERS: Final = 50

#: Words of a language that are no words of others (so not `was` or `will`): where there are some, the rest is borrowed.
_TELLING_ENGLISH: Final = """
the and with you your you're you've this that that's these those what what's whatever from they they're them
their have haven't it's who when why how been just about would could should she because very really i'm i've
i'll we're don't can't didn't doesn't isn't won't my great good best movie tonight today tomorrow omg lol lmao
lmaoo love hate better older couple agree people thing things something nothing everything everyone someone
anyone always never wanted need think thinking know knew looking watching waiting going getting feel feeling
thanks thank please yeah women girls boys friends family year years week night morning birthday world house
school working money first next new old little much many other only before again than then there here where
which while into out off up too said says could've i'd he's she's who's where's how's there's let's us our were
does did doing done being having makes made making take taking give gave guess wish hope hoping believe
seriously actually probably maybe anything anyway already enough every each both between through during until
since though although fml xoxo ily omfg lmfao smh tbh idk monday tuesday wednesday thursday friday saturday
sunday gonna wanna gotta dont cant didnt doesnt isnt thats whats youre havent
"""
_TELLING: Final[Mapping[str, frozenset[str]]] = {"en": frozenset(_TELLING_ENGLISH.split())}

_MASK = re.compile(rf"@user|\bhttp\b|\[(?:email|phone)\]|#[\w{MARKS}]+")
_MASK_SIGNS: Final = ("@", "#", "http", "[")
# Digits, punctuation, symbols and emoji; apostrophes and the marks that are parts of letters stay.
_NO_LETTERS = re.compile(
    "[\x00-\x26\x28-\x40\x5b-\x60\x7b-\xa9\xab-\xb4\xb6-\xb9\xbb-\xbf\xd7\xf7\u2000-\u2018\u201a-\u2bff\u3000-\u3004"
    "\u3008-\u3020\ufe00-\ufe0f\uff01-\uff20\ufffd\U0001f000-\U0001faff]+"
)
_PUNCTUATION = re.compile(r"[.!?;:,()…\"\n]+")
_DRAWN_OUT = re.compile(r"([^\W\d_])\1{2,}")


@dataclass(frozen=True, slots=True)
class DetectedLanguage:
    """A text's language by its code, None where it cannot be told, and whether it is certainly none of a model's."""

    language: str | None
    is_foreign: bool


UNTOLD: Final = DetectedLanguage(None, is_foreign=False)


def detect_language(text: str, languages: Sequence[str], identify: Identify) -> DetectedLanguage:
    """Identify a normalised text for a model of these languages (none: any).

    One of the model's languages is told of short texts too; another only where the text is certainly in it.
    """
    words = words_of(text)
    if not words:
        return UNTOLD
    folded = words.lower()
    shares = identify(folded)
    if languages and _own(shares, languages) <= max(_MOST_OWN):
        folded = _DRAWN_OUT.sub(r"\1\1", folded)
        shares = identify(folded)
        if _is_foreign(words, folded, shares, languages, identify) and not _is_mixed(text, languages, identify):
            return DetectedLanguage(_told(shares), is_foreign=True)
        return UNTOLD
    told = _told(shares)
    if told in languages or (not languages and letter_bytes(folded) >= LEAST_LETTERS):
        return DetectedLanguage(told, is_foreign=False)
    return UNTOLD


def words_of(text: str) -> str:
    """Return the words of a normalised text, with single spaces: no masks, hashtags, digits, punctuation, emoji.

    A long text is represented by its beginning, its middle and its end.
    """
    text = _excerpt(text)
    if any(sign in text for sign in _MASK_SIGNS):
        text = _MASK.sub(" ", text)
    return _NO_LETTERS.sub(" ", text).replace("’", "'").strip()


def _excerpt(text: str) -> str:
    if len(text) <= _LONG_CHARACTERS:
        return text
    begins = (0, (len(text) - _SLICE_CHARACTERS) // 2, len(text) - _SLICE_CHARACTERS)
    return "\n".join(text[begin : begin + _SLICE_CHARACTERS] for begin in begins)


def letter_bytes(words: str) -> int:
    """Return how many bytes of UTF-8 the letters of `words` take."""
    return len(words.encode(errors="replace")) - words.count(" ") - words.count("'")


def _own(shares: Mapping[str, float], languages: Collection[str]) -> float:
    return sum(share for language, share in shares.items() if language in languages)


def _told(shares: Mapping[str, float]) -> str | None:
    language = max(shares, key=shares.__getitem__, default=None)
    return language if language is not None and shares[language] >= _LEAST_TOLD else None


def _is_foreign(
    words: str, folded: str, shares: Mapping[str, float], languages: Sequence[str], identify: Identify
) -> bool:
    parts = list(dict.fromkeys(folded.split()))  # a word that is said again tells nothing more
    letters = letter_bytes(" ".join(parts))
    if letters < LEAST_LETTERS or (folded.isascii() and len(parts) < _LEAST_WORDS):
        return False
    many, others = letters >= _MANY_LETTERS, _others(shares, languages)
    if _own(shares, languages) > _MOST_OWN[many] or others < _LEAST_OTHERS[many]:
        return False
    telling = frozenset[str]().union(*(_TELLING.get(language, ()) for language in languages))
    if sum(part in telling for part in parts) >= len(parts) * _TELLING_SHARE:
        return False
    unnamed = without_names(words)
    if unnamed is None:
        return True
    if not unnamed:
        return many and others >= _LEAST_OTHERS_IF_CAPITALISED
    rest = identify(unnamed)
    own, same = _own(rest, languages), rest.get(max(shares, key=shares.__getitem__), 0.0)
    has_own_language = own > _MOST_OWN_WITHOUT_NAMES and own >= same
    return letter_bytes(unnamed) >= _LEAST_LETTERS_WITHOUT_NAMES and not has_own_language


def _is_mixed(text: str, languages: Sequence[str], identify: Identify) -> bool:
    """Return whether a part of the text that counts is in one of the languages by itself."""
    parts = [words_of(part).lower() for part in _PUNCTUATION.split(_excerpt(text))]
    letters = {part: letter_bytes(part) for part in parts}
    long_parts = [part for part in parts if letters[part] >= _LEAST_LETTERS_OF_A_PART]
    own = sum(letters[part] for part in long_parts if _own(identify(part), languages) >= _LEAST_OWN_OF_A_PART)
    return own >= sum(map(letters.__getitem__, parts)) * _OWN_PARTS_SHARE


def _others(shares: Mapping[str, float], languages: Sequence[str]) -> float:
    return sum(nlargest(_OTHERS, (share for language, share in shares.items() if language not in languages)))


def without_names(words: str) -> str | None:
    """Return the words that do not begin with a capital; None where capitals tell nothing: all words have them."""
    parts = words.split()
    if sum(part.isupper() for part in parts) * 2 > len(parts):
        return None
    return " ".join(part for part in parts if not part[0].isupper())
