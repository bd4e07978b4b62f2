"""Reads the single terms of a search: words, phrases, hashtags, fields, tones, and pairs of words that are near."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, get_args

from lark import Token

from sentiment.errors import InvalidInput
from sentiment.insight.query.conditions import Comparator, FieldIs, FieldName, Near, Phrase, Tone
from sentiment.insight.values import LABELS
from sentiment.insight.words import indexed_words
from sentiment.text.words import hashtags

MAX_DISTANCE: Final = 50
MAX_PAIRS: Final = 25
NEAR_FORM: Final = 'near takes a distance and two words, phrases or groups: near(3, "heat wave" (fire or flood))'

_TONE: Final = re.compile(r"tone\s*([<>=]+)\s*(.*)", re.IGNORECASE | re.DOTALL)
_NEAR: Final = re.compile(r"near\s*\(\s*(\S*?)\s*(,?)", re.IGNORECASE)
_FIELD: Final = re.compile(r"([a-z_]+):(\s*)(.*)", re.IGNORECASE | re.DOTALL)


def wrong(place: int, cause: str) -> InvalidInput:
    """Return the error of a search that is wrong at a place, counted from 0."""
    return InvalidInput(f"q cannot be read at character {place + 1}: {cause}.", "q")


def phrase(token: Token) -> Phrase:
    """Return a word, or the words of a phrase; quotation marks count for nothing.

    Raises:
        InvalidInput: there is no word in it.
    """
    words = indexed_words(token)
    if not words:
        raise wrong(_place(token), f"'{token}' holds no word; leave it out")
    return Phrase(words)


def topic(token: Token) -> FieldIs:
    """Return the topic that a hashtag names.

    Raises:
        InvalidInput: it is no hashtag.
    """
    names = hashtags(token)
    if len(names) != 1 or f"#{names[0]}" != token.rstrip(".,;:!?"):
        raise wrong(_place(token), f"'{token}' is not a hashtag; write # and 2 to 64 letters or digits, or topic:\"…\"")
    return FieldIs("topic", names[0].casefold())


def tone(token: Token) -> Tone:
    """Return a condition on the sentiment.

    Raises:
        InvalidInput: the comparison or the number is wrong.
    """
    match = _TONE.fullmatch(token)
    comparator, number, place = (match[1], match[2], _place(token) + match.start(2)) if match else ("", "", 0)
    if comparator not in get_args(Comparator):
        raise wrong(_place(token), f"'{comparator}' does not compare a tone; use <, <=, > or >=")
    try:
        bound = float(number.replace("−", "-"))
    except ValueError:
        bound = 2.0
    if not -1 <= bound <= 1:
        raise wrong(place, f"'{number}' is not a tone; use a number from -1 to 1, such as tone < -0.5")
    return Tone(_comparator(comparator), bound)


def field_is(token: Token, author_key: Callable[[str], str]) -> FieldIs:
    """Return a condition on a field; an author's name becomes the key that texts are kept under.

    Raises:
        InvalidInput: there is no such field, or its value is wrong.
    """
    match = _FIELD.fullmatch(token)
    written, value, place = (match[1], match[3].strip('"').strip(), match.start(3)) if match else ("", "", 0)
    name = next((name for name in get_args(FieldName) if name == written.casefold()), None)
    if name is None:
        names = ", ".join(f"{name}:" for name in get_args(FieldName))
        raise wrong(
            _place(token), f"'{written}:' is not a field; use {names}, or put it in quotes to search for the words"
        )
    if not value:
        raise wrong(_place(token) + place, f"{name}: has no value; write it right after the colon")
    return FieldIs(name, _value(_place(token) + place, name, value, author_key))


def near(opening: Token, left: Sequence[Token], right: Sequence[Token]) -> Near:
    """Return a condition on two words, phrases or groups of them that stand near each other.

    Raises:
        InvalidInput: the distance is wrong, there are too many pairs, or one holds no word.
    """
    match = _NEAR.fullmatch(opening)
    distance, comma = (match[1], match[2]) if match else ("", "")
    if not distance.isdecimal() or not 1 <= int(distance) <= MAX_DISTANCE or not comma:
        raise wrong(_place(opening), f"near needs a distance from 1 to {MAX_DISTANCE} and a comma; {NEAR_FORM}")
    if len(left) * len(right) > MAX_PAIRS:
        raise wrong(_place(opening), f"near has {len(left) * len(right)} pairs, more than {MAX_PAIRS}; name fewer")
    return Near(int(distance), tuple(map(phrase, left)), tuple(map(phrase, right)))


def _value(place: int, name: FieldName, value: str, author_key: Callable[[str], str]) -> str:
    if name == "author":
        return author_key(value)
    if name == "source":
        return value
    folded = value.casefold()
    if name == "label" and folded not in LABELS:
        raise wrong(place, f"'{value}' is not a label; use {', '.join(LABELS)}")
    if name == "version":
        return _version(place, folded)
    return folded


def _version(place: int, value: str) -> str:
    number = value.removeprefix("v")
    if not (number.isascii() and number.isdecimal()):
        raise wrong(place, f"'{value}' is not a model version; use its number, such as version:3")
    return str(int(number))


def _comparator(written: str) -> Comparator:
    return next(each for each in get_args(Comparator) if each == written)


def _place(token: Token) -> int:
    return token.start_pos or 0
