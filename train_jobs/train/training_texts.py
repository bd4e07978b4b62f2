"""The texts that a run learns from: a dataset version, further texts without labels, and mixtures of their halves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from sentiment.datasets import DatasetStore, DatasetVersion, Example
from sentiment.datasets.source.examples import read_examples
from sentiment.training.batching.encoded import content_key
from sentiment.training.config import TrainConfig


class Corpus(NamedTuple):
    """Texts that can be read any number of times."""

    read: Callable[[], Iterable[Example]]
    rows: int
    digest: str
    """Identifies the texts and their order."""


def corpora_of(
    config: TrainConfig, version: DatasetVersion, store: DatasetStore, s3_endpoint: str | None
) -> list[Corpus]:
    """Return the texts of the dataset version and, if the configuration names some, the further texts.

    Raises:
        InvalidInput: the file of further texts is missing or cannot be read.
    """
    own = Corpus(lambda: store.read(version), version.rows, version.digest)
    source = config.distill.unlabelled if config.distill else None
    more = list(further_texts(source, s3_endpoint)) if source else []
    digest = content_key(*(example.text for example in more))
    return [own, Corpus(lambda: more, len(more), digest)] if more else [own]


def training_texts(config: TrainConfig, corpora: Sequence[Corpus]) -> Corpus:
    """Return all texts that a run learns from: those of `corpora` in order, then the mixed ones."""
    rows = sum(each.rows for each in corpora)
    digest = content_key(*(each.digest for each in corpora)) if len(corpora) > 1 else corpora[0].digest

    def read() -> Iterable[Example]:
        return chain.from_iterable(each.read() for each in corpora)

    mixed = config.distill.mixed if config.distill else 0
    if not mixed:
        return Corpus(read, rows, digest)
    key = content_key(digest, f"mixed {mixed} {config.seed}")
    return Corpus(lambda: chain(read(), mixed_texts(read, rows, mixed, config.seed)), rows + mixed, key)


def further_texts(source: str, s3_endpoint: str | None) -> Iterable[Example]:
    """Read the texts of a JSONL file without their labels. Raises InvalidInput if it cannot be read."""
    return read_examples(source, endpoint=s3_endpoint, label_column=None)


def mixed_texts(read: Callable[[], Iterable[Example]], rows: int, count: int, seed: int) -> Iterator[Example]:
    """Yield `count` unlabelled texts, each the first half of one text and the second half of another, in words.

    Both are drawn by `seed` from the `rows` texts that `read` yields. Up to 2 `count` texts are held in memory.
    """
    drawn = np.random.default_rng(seed).integers(rows, size=(count, 2))
    used = set(drawn.ravel().tolist())
    words = {number: example.text.split() for number, example in enumerate(read()) if number in used}
    for first, second in drawn.tolist():
        begin, end = words[first], words[second]
        yield Example(" ".join(begin[: (len(begin) + 1) // 2] + end[len(end) // 2 :]), None)
