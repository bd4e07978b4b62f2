"""Texts that stand in two dataset versions, so that a model would be tested on what it was trained on."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sentiment.datasets.example import Example
from sentiment.errors import InvalidInput
from sentiment.tables import INTEGER, NUMBER, STRING, write_table
from sentiment.text import distinct_key, near_duplicate_key

if TYPE_CHECKING:
    from sentiment.datasets.leaks.shingles import NearIndex

DEFAULT_THRESHOLD: Final = 0.5
_BATCH_TEXTS: Final = 1024


_COLUMNS: Final = {
    "kind": STRING,
    "row": INTEGER,
    "first_row": INTEGER,
    "overlap": NUMBER,
    "text": STRING,
    "first_text": STRING,
    "label": STRING,
    "first_label": STRING,
}


class LeakKind(StrEnum):
    """How alike two texts are."""

    EXACT = "exact"  # the same normalised text
    SAME_WORDS = "same words"  # but for case, punctuation, links, names and retweet marks
    NEAR = "near"  # most runs of three words are shared


@dataclass(frozen=True, slots=True)
class Leak:
    """Row `row` of the second version (from 1) stands in the first at row `first_row`; `overlap` is in [0, 1]."""

    kind: LeakKind
    row: int
    first_row: int
    overlap: float
    text: str
    first_text: str
    label: str | None
    first_label: str | None


def find_leaks(
    first: Iterable[Example], second: Iterable[Example], threshold: float = DEFAULT_THRESHOLD, *, near: bool = True
) -> Iterator[Leak]:
    """Yield the leak of each row of `second` that stands in `first`, in the order of `second`: the closest kind only.

    The distinct texts of `first` are held in memory, `second` is streamed. `threshold` is the overlap (Jaccard) of
    three-word runs from which two texts are near duplicates; without `near` only the other two kinds are looked for.

    Raises:
        InvalidInput: a threshold outside (0, 1], or numpy is not installed.
    """
    if not 0 < threshold <= 1:
        raise InvalidInput(f"--threshold {threshold} must be above 0 and at most 1; 0.5 is the default.", "threshold")
    index = _TextIndex(first, threshold, near=near)
    rows = enumerate(second, 1)
    while batch := list(itertools.islice(rows, _BATCH_TEXTS)):
        yield from index.leaks(batch)


def write_leaks(leaks: Iterable[Leak], path: Path) -> None:
    """Write a row for each leak to a CSV, JSONL or Parquet file.

    Raises:
        InvalidInput: an unknown ending, or it cannot be written there.
    """
    try:
        write_table(path, _COLUMNS, (asdict(leak) | {"kind": leak.kind.value} for leak in leaks))
    except OSError as exc:
        raise InvalidInput(
            f"{path} cannot be written ({exc.strerror}): choose another place with --out.", "out"
        ) from exc


def leak_keys(examples: Iterable[Example]) -> set[str]:
    """Return the keys by which `without` knows the texts of `examples`."""
    return {near_duplicate_key(example.text) for example in examples}


def without(examples: Iterable[Example], keys: set[str]) -> Iterator[Example]:
    """Yield the examples that are not the same words as any of `keys`."""
    return (example for example in examples if near_duplicate_key(example.text) not in keys)


def require_some(examples: Iterable[Example], source: str) -> Iterator[Example]:
    """Yield the examples that `without` has left of a source.

    Raises:
        InvalidInput: it has left none.
    """
    first = next(remaining := iter(examples), None)
    if first is None:
        raise InvalidInput(
            f"Nothing of {source} is left to push: every text in it is empty or stands in a version that --without "
            "names. Leave one out.",
            "leave_out",
        )
    yield first
    yield from remaining


def unique(examples: Iterable[Example]) -> Iterator[Example]:
    """Yield the examples, of those with the same words and emoji the first only: other emoji say something else."""
    keys: set[str] = set()
    for example in examples:
        key = distinct_key(example.text)
        if key not in keys:
            keys.add(key)
            yield example


class _TextIndex:
    """The distinct texts of the first version, to be looked up as they are, by their words, and by their shingles."""

    def __init__(self, first: Iterable[Example], threshold: float, *, near: bool) -> None:
        self._threshold = threshold
        self._rows: list[tuple[int, Example]] = []
        self._by_text: dict[str, int] = {}
        self._by_key: dict[str, int] = {}
        for row, example in enumerate(first, 1):
            if example.text not in self._by_text:
                self._by_text[example.text] = len(self._rows)
                self._by_key.setdefault(near_duplicate_key(example.text), len(self._rows))
                self._rows.append((row, example))
        self._index = _near_index([example.text for _, example in self._rows]) if near and self._rows else None

    def leaks(self, batch: list[tuple[int, Example]]) -> Iterator[Leak]:
        """Yield the leaks of a batch of numbered rows, in their order."""
        same = {row: self._same(row, example) for row, example in batch}
        rest = [(row, example) for row, example in batch if same[row] is None]
        if self._index is not None and rest:
            matches = self._index.search([example.text for _, example in rest], self._threshold)
            for (row, example), match in zip(rest, matches, strict=True):
                if match:
                    same[row] = self._leak(LeakKind.NEAR, row, example, match.place, match.overlap)
        return (leak for leak in same.values() if leak)

    def _same(self, row: int, example: Example) -> Leak | None:
        """Return the leak of a row that is the same text or the same words; None if it is neither."""
        if (place := self._by_text.get(example.text)) is not None:
            return self._leak(LeakKind.EXACT, row, example, place, 1.0)
        if (place := self._by_key.get(near_duplicate_key(example.text))) is not None:
            return self._leak(LeakKind.SAME_WORDS, row, example, place, 1.0)
        return None

    def _leak(self, kind: LeakKind, row: int, example: Example, place: int, overlap: float) -> Leak:
        first_row, first = self._rows[place]
        return Leak(kind, row, first_row, overlap, example.text, first.text, example.label, first.label)


def _near_index(texts: list[str]) -> NearIndex:
    try:
        from sentiment.datasets.leaks.shingles import NearIndex

        return NearIndex(texts)
    except ModuleNotFoundError as exc:
        raise InvalidInput(
            f"Near duplicates need {exc.name}: pip install 'undertone[train]', or leave them out with --no-near.",
            "near",
        ) from exc
