"""The texts that a run learns from: those of a dataset version, further ones without labels, and mixtures of both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain

import numpy as np

from sentiment.datasets import DatasetStore, DatasetVersion, Example
from sentiment.datasets.source import read_examples
from sentiment.training.config import DistillConfig, TrainConfig
from sentiment.training.encoded import content_key


def training_texts(
    config: TrainConfig, version: DatasetVersion, store: DatasetStore, s3_endpoint: str | None
) -> tuple[Callable[[], Iterable[Example]], str]:
    """Return what reads the texts, as often as it is called, and the digest that tells them from any others.

    Raises:
        InvalidInput: the file of further texts is not there, or is none.
    """
    lesson = config.distill or DistillConfig()
    more = list(further_texts(lesson.unlabelled, s3_endpoint)) if lesson.unlabelled else []
    digest = content_key(version.digest, *(example.text for example in more)) if more else version.digest

    def read() -> Iterable[Example]:
        return chain(store.read(version), more)

    if not lesson.mixed:
        return read, digest
    mixed = partial(mixed_texts, read, version.rows + len(more), lesson.mixed, config.seed)
    return lambda: chain(read(), mixed()), content_key(digest, f"mixed {lesson.mixed} {config.seed}")


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
