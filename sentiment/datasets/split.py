"""Split a dataset into train, validation and test.

A text's part is decided by a hash of its words and the seed, not by its place: copies and retweets never stand in two
parts, and a text that was tested on is not trained on when the dataset grows.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sentiment.datasets.example import Example
from sentiment.datasets.source.label_set import label_set_of
from sentiment.datasets.storage.draft import Draft
from sentiment.datasets.storage.manifest import DatasetVersion
from sentiment.datasets.storage.store import DatasetStore
from sentiment.errors import InvalidInput
from sentiment.text import near_duplicate_key

PARTS: Final = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Shares of the parts, which add up to 1, and the seed. Real shares differ a little, as in throws of a die."""

    shares: tuple[float, ...] = (0.8, 0.1, 0.1)
    seed: int = 42

    def __post_init__(self) -> None:
        wrong = not 2 <= len(self.shares) <= len(PARTS) or min(self.shares) <= 0
        if wrong or not math.isclose(sum(self.shares), 1.0, abs_tol=1e-6):
            raise InvalidInput(
                f"--split {','.join(map(str, self.shares))}: give the shares of {', '.join(PARTS[:2])} and, if wanted, "
                f"{PARTS[2]}; each above 0, together 1, as 0.8,0.1,0.1.",
                "split",
            )

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts."""
        return PARTS[: len(self.shares)]

    def part_of(self, text: str) -> str:
        """Return the part that a normalised text belongs to."""
        key = f"{self.seed}:{near_duplicate_key(text)}".encode()
        place = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest()) / 2**64
        bounds = itertools.accumulate(self.shares[:-1])
        return next((part for part, bound in zip(self.parts, bounds, strict=False) if place < bound), self.parts[-1])


def parse_split(text: str, seed: int) -> Split:
    """Read `0.8,0.1,0.1`.

    Raises:
        InvalidInput: these are no shares.
    """
    try:
        return Split(tuple(float(share) for share in text.split(",")), seed)
    except ValueError as exc:
        raise InvalidInput(f"--split {text}: write shares as 0.8,0.1,0.1.", "split") from exc


def push_split(
    store: DatasetStore,
    name: str,
    examples: Iterable[Example],
    split: Split,
    *,
    source: str,
    parent: str | None = None,
    labels: tuple[str, ...] | None = None,
) -> list[DatasetVersion]:
    """Push NAME-train, NAME-validation and NAME-test in one pass; nothing is listed before all parts are found fit.

    Raises:
        InvalidInput: as `DatasetStore.push`; a part without examples or with one class only among the reasons.
        Conflict: one of the parts has versions of another label set.
    """
    parent = store.find(parent).ref if parent else None
    drafts = {part: store.draft(f"{name}-{part}") for part in split.parts}
    for example in examples:
        drafts[split.part_of(example.text)].add(example)
    whole = label_set_of((label for draft in drafts.values() for label in draft.balance if label), labels)
    for draft in drafts.values():
        _check_part(draft, whole)
        store.require_labels(draft.name, whole)
    for draft in drafts.values():
        draft.finish()  # a disk that fills up does so before anything is listed
    description = f"{source}; split {','.join(map(str, split.shares))}, seed {split.seed}"
    return [store.commit(draft, source=description, parent=parent, labels=whole or None) for draft in drafts.values()]


def _check_part(draft: Draft, labels: tuple[str, ...]) -> None:
    classes = [label for label in draft.balance if label]
    if not draft.rows or (labels and len(classes) < min(2, len(labels))):
        raise InvalidInput(
            f"{draft.name} would get {draft.rows} examples of {len(classes)} classes: too few to split. Give it "
            "a larger share, push more data, or choose another --seed.",
            "split",
        )
