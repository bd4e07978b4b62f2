"""What changed between two dataset versions: texts that came, went, or got another label."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from sentiment.datasets.example import Example

_SHOWN: Final = 5
_Labels = dict[bytes, Counter[str]]


@dataclass
class Difference:
    """Counts of rows by label ("" for none) and the first few texts of each kind.

    A text that stands several times counts several times. `relabelled` counts rows of texts that stand in both, by
    (label before, label after).
    """

    kept: int = 0
    added: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    relabelled: Counter[tuple[str, str]] = field(default_factory=Counter)
    added_texts: list[str] = field(default_factory=list)
    removed_texts: list[str] = field(default_factory=list)
    relabelled_texts: list[str] = field(default_factory=list)


def compare(before: Callable[[], Iterable[Example]], after: Callable[[], Iterable[Example]]) -> Difference:
    """Compare two versions, each given as a function that reads it from its beginning.

    Memory holds a key and the labels of each text, and no text.
    """
    old, new = _labels_of(before()), _labels_of(after())
    difference = Difference()
    added, removed, relabelled = set[bytes](), set[bytes](), set[bytes]()
    for key in old.keys() | new.keys():
        ours, theirs = old.get(key, Counter[str]()), new.get(key, Counter[str]())
        difference.kept += (ours & theirs).total()
        for was, now in itertools.zip_longest((ours - theirs).elements(), (theirs - ours).elements()):
            if was is None:
                difference.added[now] += 1
                added.add(key)
            elif now is None:
                difference.removed[was] += 1
                removed.add(key)
            else:
                difference.relabelled[was, now] += 1
                relabelled.add(key)
    difference.removed_texts = _first_texts(before, removed)
    difference.added_texts = _first_texts(after, added)
    difference.relabelled_texts = _first_texts(after, relabelled)
    return difference


def _labels_of(examples: Iterable[Example]) -> _Labels:
    labels: _Labels = {}
    for example in examples:
        labels.setdefault(_key(example), Counter())[example.label or ""] += 1
    return labels


def _first_texts(read: Callable[[], Iterable[Example]], keys: set[bytes]) -> list[str]:
    """Return the first few texts that `keys` stand for; nothing is read if there are none."""
    matching = (example.text for example in read() if _key(example) in keys) if keys else iter(())
    first: dict[str, None] = {}
    for text in matching:
        first[text] = None
        if len(first) == min(_SHOWN, len(keys)):
            break
    return list(first)


def _key(example: Example) -> bytes:
    return hashlib.blake2b(example.text.encode(), digest_size=16).digest()
