"""Texts for the insight benchmark: words as frequent as in a language, over two years, with topics, labels and authors.

Without a corpus the words are the tokenizer's own, the one of rank r drawn in proportion to 1 / (r + 20). With one (CSV
with a column `text`, also packed as .xz) each text is the beginning of one of its texts and the end of another.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import lzma
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from sentiment.identifiers import repeatable_id
from sentiment.insight.documents import indexed_text
from sentiment.insight.values import IndexedText
from sentiment.records import TextRecord
from sentiment.text.words import hashtags
from tests.benchmarks.texts import whole_words

FIRST_MS: Final = 1_704_067_200_000  # the year 2024 begins
SPAN_MS: Final = 730 * 86_400_000
_SEED: Final = 11
_WORDS: Final = (8, 28)
_AUTHORS: Final = 50_000
_TAGGED: Final = 0.2
_LABELS: Final = ("negative", "neutral", "positive")


def indexed_texts(count: int, corpus: Path | None) -> Iterator[IndexedText]:
    """Yield texts as an index holds them, in the order of their times, the same in every run."""
    return (indexed_text(record, number) for number, record in enumerate(stored_texts(count, corpus)))


def stored_texts(count: int, corpus: Path | None) -> Iterator[TextRecord]:
    """Yield the same texts as a store holds them."""
    draw = random.Random(_SEED)
    write = _writer(corpus, draw)
    for number in range(count):
        text = write()
        feeling, at_ms = draw.uniform(-1, 1), FIRST_MS + SPAN_MS * number // count
        label = _LABELS[min(2, int((feeling + 1) * 1.5))]
        yield TextRecord(
            id=_id(number, at_ms),
            text=text,
            text_key=f"{number:064x}",
            near_key=f"{number:016x}",
            created_at_ms=at_ms,
            received_at_ms=at_ms,
            topics=tuple(dict.fromkeys(tag.casefold() for tag in hashtags(text))),
            source="benchmark",
            language="en",
            label=label,
            score=0.8,
            probabilities={name: 0.8 if name == label else 0.1 for name in _LABELS},
            author_key=hashlib.blake2b(b"%d" % draw.randrange(_AUTHORS), digest_size=16).hexdigest(),
            sentiment=feeling,
            model="sentiment",
            model_version=1 + number * 2 // count,
            labelled_at_ms=at_ms,
            labelled_by="model",
        )


def nearest_share(texts: list[IndexedText], share: float, length: int) -> str:
    """Return the words, `length` one after the other, that the nearest to such a part of the texts have."""
    counts: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        counts.update(set(zip(*(text.words[start:] for start in range(length)), strict=False)))
    words = min(counts, key=lambda each: (abs(counts[each] / len(texts) - share), each))
    return " ".join(words)


def _id(number: int, at_ms: int) -> str:
    return repeatable_id(at_ms, hashlib.blake2b(b"%d" % number, digest_size=16).digest())


def _writer(corpus: Path | None, draw: random.Random) -> Callable[[], str]:
    if corpus is not None:
        lines = [text.split() for text in _corpus_texts(corpus)]
        return lambda: _crossed(draw.choice(lines), draw.choice(lines))
    words = whole_words()
    draw.shuffle(words)
    weights = list(itertools.accumulate(1 / (rank + 20) for rank in range(len(words))))
    return lambda: _drawn(words, weights, draw)


def _crossed(one: list[str], other: list[str]) -> str:
    return " ".join(one[: len(one) // 2 + 1] + other[len(other) // 2 :])


def _drawn(words: list[str], weights: list[float], draw: random.Random) -> str:
    text = " ".join(draw.choices(words, cum_weights=weights, k=draw.randint(*_WORDS)))
    return f"{text} #{draw.choices(words, cum_weights=weights)[0]}" if draw.random() < _TAGGED else text


def _corpus_texts(corpus: Path) -> list[str]:
    with lzma.open(corpus, "rt") if corpus.suffix == ".xz" else corpus.open() as file:
        return [row["text"] for row in csv.DictReader(file)]
