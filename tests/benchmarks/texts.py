"""Texts for the benchmarks: all unique, of the lengths of tweets, written with the vocabulary's own words."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Final

_SHIPPED: Final = Path(__file__).parents[2] / "sentiment" / "shipped" / "sentiment" / "tokenizer.json"
_MEDIAN_PIECES: Final = 28.0  # [CLS] and [SEP] counted
_SPREAD: Final = 0.5  # standard deviation of the logarithm of the length: tweets have about this
_SPECIAL_PIECES: Final = 2
_BOUNDS: Final = (4, 200)


def unique_texts(count: int, seed: int, tokenizer: Path = _SHIPPED) -> list[str]:
    """Return `count` different texts; their lengths are log-normal with a median of 28 word pieces.

    Each word is one piece of `tokenizer` (a WordPiece vocabulary).
    """
    generator = random.Random(seed)
    words = whole_words(tokenizer)
    texts: dict[str, None] = {}
    while len(texts) < count:
        texts[" ".join(generator.choices(words, k=_length(generator)))] = None
    return list(texts)


def _length(generator: random.Random) -> int:
    pieces = _MEDIAN_PIECES * generator.lognormvariate(0.0, _SPREAD)
    low, high = _BOUNDS
    return round(min(max(pieces, low), high)) - _SPECIAL_PIECES


def whole_words(tokenizer: Path = _SHIPPED) -> list[str]:
    """Return the words that are one piece of a WordPiece vocabulary, in the order of the alphabet."""
    vocabulary: dict[str, int] = json.loads(tokenizer.read_text())["model"]["vocab"]
    return sorted(piece for piece in vocabulary if piece.isascii() and piece.isalpha() and len(piece) > 1)
