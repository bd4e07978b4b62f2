"""The texts that a run learns from: those of a dataset version, further ones without labels, and mixtures of both."""

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
    """What reads some texts, as often as it is called, how many, and the digest that tells them from any others."""

    read: Callable[[], Iterable[Example]]
    rows: int
    digest: str


def corpora_of(
    config: TrainConfig, version: DatasetVersion, store: DatasetStore, s3_endpoint: str | None
) -> list[Corpus]:
    """Return the dataset version's texts and, where there are some, the further ones.

    Raises:
        InvalidInput: the file of further texts is not there, or is none.
    """
    own = Corpus(lambda: store.read(version), version.rows, version.digest)
    source = config.distill.unlabelled if config.distill else None
    more = list(further_texts(source, s3_endpoint)) if source else []
    digest = content_key(*(example.text for example in more))
    return [own, Corpus(lambda: more, len(more), digest)] if more else [own]


def training_texts(config: TrainConfig, corpora: Sequence[Corpus]) -> Corpus:
    """Return all that a run learns from: the texts of `corpora` one after the other, then mixtures of them."""
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
    """Read the texts of a JSONL file, whose labels, if any, do not count. Raises InvalidInput if it is none."""
    return read_examples(source, endpoint=s3_endpoint, label_column=None)


def mixed_texts(read: Callable[[], Iterable[Example]], rows: int, count: int, seed: int) -> Iterator[Example]:
    """Yield `count` texts without labels: each begins as one of the `rows` texts that `read` gives and ends as another.

    Both halves, counted in words, are drawn by `seed`. Holds as many texts in memory as it mixes.
    """
    drawn = np.random.default_rng(seed).integers(rows, size=(count, 2))
    wanted = set(drawn.ravel().tolist())
    words = {number: example.text.split() for number, example in enumerate(read()) if number in wanted}
    for first, second in drawn.tolist():
        begin, end = words[first], words[second]
        yield Example(" ".join(begin[: (len(begin) + 1) // 2] + end[len(end) // 2 :]), None)
