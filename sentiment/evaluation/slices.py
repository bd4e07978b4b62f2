"""Parts of a data set that a model may be worse on than on the whole: by length, negation, emoji, source, language."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sentiment.evaluation.bootstrap import Interval, macro_recall_interval, share_interval
from sentiment.evaluation.metrics import confusion, macro_recall

_NEGATION: Final = re.compile(r"\b(?:not|no|never|nothing|hardly|without)\b|n['’]t\b", re.IGNORECASE)
_EMOJI: Final = re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]")
_LENGTHS: Final = ((10, "1 to 10 words"), (20, "11 to 20 words"), (50, "21 to 50 words"), (200, "51 to 200 words"))
_LONGEST: Final = "over 200 words"
_LENGTH_NAMES: Final = (*(name for _, name in _LENGTHS), _LONGEST)
_NEGATED, _PICTURED, _WITHOUT = "with a negation", "with an emoji", "without"
#: The parts that are the same for all data; sources and languages are the data's own.
_NAMES: Final = {"length": _LENGTH_NAMES, "negation": (_NEGATED, _WITHOUT), "emoji": (_PICTURED, _WITHOUT)}
_UNSTATED: Final = "not stated"
_MOST_NAMES: Final = 12
_OTHERS: Final = "all others"


class SliceRow(Protocol):
    """What slices are cut by; a dataset's example is one."""

    @property
    def text(self) -> str:
        """The normalised text."""

    @property
    def source(self) -> str:
        """Where it came from; empty if unknown."""

    @property
    def language(self) -> str:
        """Its language; empty if unknown."""


@dataclass(frozen=True)
class Slice:
    """One part: shares in [0, 1] with 95 % intervals. Macro-recall is over the labels that occur in the part."""

    dimension: str
    name: str
    texts: int
    accuracy: float
    accuracy_interval: Interval
    macro_recall: float
    macro_recall_interval: Interval


@dataclass(frozen=True)
class EmptySlice:
    """A part that none of the texts is in, so that nothing is known of it."""

    dimension: str
    name: str


def has_negation(text: str) -> bool:
    """Return whether an English text negates something."""
    return bool(_NEGATION.search(text))


def has_emoji(text: str) -> bool:
    """Return whether a text has an emoji or a pictorial symbol."""
    return bool(_EMOJI.search(text))


def cut_slices(
    rows: Sequence[SliceRow], ids: NDArray[np.int64], predictions: NDArray[np.int64], classes: int
) -> tuple[Slice, ...]:
    """Return the figures of every part of `rows`; label ids and predictions are [texts].

    A dimension that puts all rows into one part is left out: it says nothing that the whole does not.
    """
    slices = []
    for dimension, name_of in _DIMENSIONS.items():
        names = np.array(_few([name_of(row) for row in rows]))
        for name in _in_order(names):
            inside = names == name
            slices.append(_measure(dimension, name, ids[inside], predictions[inside], classes))
    return tuple(slices)


def empty_slices(rows: Iterable[SliceRow]) -> tuple[EmptySlice, ...]:
    """Return the parts by length, negation and emoji that no row is in."""
    present = {(dimension, _DIMENSIONS[dimension](row)) for row in rows for dimension in _NAMES}
    parts = [(dimension, name) for dimension, names in _NAMES.items() for name in names]
    return tuple(EmptySlice(*part) for part in parts if part not in present)


def _measure(dimension: str, name: str, ids: NDArray[np.int64], predictions: NDArray[np.int64], classes: int) -> Slice:
    counts = confusion(ids, predictions, classes)
    right = int(counts.trace())
    return Slice(
        dimension=dimension,
        name=name,
        texts=len(ids),
        accuracy=right / len(ids),
        accuracy_interval=share_interval(right, len(ids)),
        macro_recall=macro_recall(ids, predictions, classes),
        macro_recall_interval=macro_recall_interval(counts),
    )


def _length(row: SliceRow) -> str:
    words = len(row.text.split())
    return next((name for most, name in _LENGTHS if words <= most), _LONGEST)


_DIMENSIONS: Final[dict[str, Callable[[SliceRow], str]]] = {
    "length": _length,
    "negation": lambda row: _NEGATED if has_negation(row.text) else _WITHOUT,
    "emoji": lambda row: _PICTURED if has_emoji(row.text) else _WITHOUT,
    "source": lambda row: row.source or _UNSTATED,
    "language": lambda row: row.language or _UNSTATED,
}


#: What texts are looked at for.
DIMENSIONS: Final = tuple(_DIMENSIONS)


def _few(names: Sequence[str]) -> list[str]:
    """Fold the rarest of many names into one."""
    counted = Counter(names).most_common()
    if len(counted) <= _MOST_NAMES:
        return list(names)
    most_frequent = {name for name, _ in counted[: _MOST_NAMES - 1]}
    return [name if name in most_frequent else _OTHERS for name in names]


def _in_order(names: NDArray[np.str_]) -> Iterator[str]:
    """Yield lengths from short to long, all else from most to fewest; nothing where there is one name only."""
    counted = Counter(names.tolist())
    if len(counted) < 2:
        return
    lengths = _LENGTH_NAMES
    in_rank = sorted(counted, key=lambda name: (lengths.index(name) if name in lengths else 0, -counted[name], name))
    yield from in_rank
