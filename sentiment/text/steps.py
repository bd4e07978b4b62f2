"""Preprocessing steps by name: what is done to a normalised text, in order, before it is tokenised. English only.

    base    words that are dashes alone go, white space is squeezed and trimmed
    lower   lower case
    stem    every word becomes its stem in lower case, by Snowball's English stemmer (`wonderful` -> `wonder`)
    lemma   every word becomes its dictionary form, by simplemma (`was` -> `be`, `don't` -> `do not`)

None is on by default. A version's manifest names those that it was trained with; training, evaluation and serving then
do them alike. `stem` and `lemma` set one space between words and punctuation; masks such as `@user` stay whole. They
need the extra `steps`, and hold their libraries only where a version asks for them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from types import MappingProxyType
from typing import Final

from sentiment.errors import InvalidInput
from sentiment.text import MARKS
from sentiment.validation_messages import listed

Step = Callable[[str], str]

# A word goes apart before n't, so that the negation stays a word of its own; then masks, words, all else that is ink.
_WORD: Final = rf"[\w{MARKS}][\w{MARKS}\u200c\u200d]*"
_TOKEN = re.compile(
    rf"@user\b|\[(?:email|phone)\]|\w+(?=n['’]t\b)|n['’]t\b|{_WORD}(?:['’]{_WORD})*|[^\w\s{MARKS}]+", re.IGNORECASE
)
_MASK = re.compile(r"@user|http|\[(?:email|phone)\]")
_CACHED_WORDS: Final = 1 << 16
_LONGEST_WORD: Final = 64  # longer ones are none of English, and cost time
_REMEDY: Final = "pip install 'undertone[steps]'"


def base(text: str) -> str:
    """Drop words that are dashes alone; squeeze and trim white space. Doing it twice changes nothing more."""
    return " ".join(word for word in text.split() if word.strip("-"))


def lower(text: str) -> str:
    """Put a text in lower case. Doing it twice changes nothing more."""
    return text.lower()


def _stem() -> Step:
    import snowballstemmer

    stemmer, lock = snowballstemmer.stemmer("english"), Lock()

    def stem(word: str) -> str:
        with lock:  # it keeps the word that it works on in itself
            return str(stemmer.stemWord(word.lower()))

    return _word_by_word(stem)


def _lemma() -> Step:
    import simplemma

    return _word_by_word(lambda word: simplemma.lemmatize(word.replace("’", "'"), lang="en"))


_MAKERS: Final[Mapping[str, Callable[[], Step]]] = MappingProxyType(
    {"base": lambda: base, "lower": lambda: lower, "stem": _stem, "lemma": _lemma}
)
_LIBRARIES: Final = {"stem": "snowballstemmer", "lemma": "simplemma"}
STEPS: Final = tuple(_MAKERS)


def steps_problem(names: Sequence[str]) -> str | None:
    """Return what is wrong with a list of steps: one is unknown, or stands twice; None if nothing is."""
    for place, name in enumerate(names):
        if name not in _MAKERS:
            return f"step {name!r} is unknown; there are {', '.join(STEPS)}"
        if name in names[:place]:
            return f"step {name!r} stands twice in {listed(names)}"
    return None


def open_steps(names: Sequence[str]) -> Step:
    """Return a function that does the steps in their order. It never fails on a str; threads may share it.

    Raises:
        InvalidInput: a step is unknown, or needs a library that is not installed: with the line that installs it.
    """
    if problem := steps_problem(names):
        raise InvalidInput(f"steps: {problem}", "steps")
    steps = [_open(name) for name in names]

    def do(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return do


def steps_key(names: Sequence[str]) -> str:
    """Return what stands for the steps where their results are kept: names, and the versions of what does them."""
    return json.dumps([f"{name} {_version(name)}".strip() for name in names])


def _open(name: str) -> Step:
    try:
        return _MAKERS[name]()
    except ImportError as exc:
        raise InvalidInput(
            f"step {name!r} needs {_LIBRARIES.get(name, name)}, which is not installed: {_REMEDY}", "steps"
        ) from exc


def _version(name: str) -> str:
    library = _LIBRARIES.get(name)
    try:
        return version(library) if library else ""
    except PackageNotFoundError:
        return ""


def _word_by_word(change: Callable[[str], str]) -> Step:
    cached = lru_cache(_CACHED_WORDS)(change)

    def changed(token: str) -> str:
        is_word = len(token) <= _LONGEST_WORD and any(map(str.isalnum, token)) and not _MASK.fullmatch(token)
        return (cached(token) or token) if is_word else token

    return lambda text: " ".join(changed(token) for token in _TOKEN.findall(text))
