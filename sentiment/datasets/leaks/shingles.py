"""Near duplicates by word shingles: MinHash signatures cut into bands find candidates, true overlap decides.

Broder 1997, "On the resemblance and containment of documents"; banding as in Leskovec, Rajaraman, Ullman, "Mining of
Massive Datasets", chapter 3: two texts whose shingles overlap by s meet in a band with probability 1 − (1 − s^r)^b,
here 0.996 at s = 0.5 and 0.00004 at s = 0.01.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sentiment.text import bare_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

_BANDS: Final = 42
_ROWS: Final = 3
_SHINGLE_WORDS: Final = 3
_MOST_CANDIDATES: Final = 64
_SEED: Final = 20_260_101
_ODD: Final = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


class Match(NamedTuple):
    """The place of the most alike indexed text, and their shingles' overlap (Jaccard), in [0, 1]."""

    place: int
    overlap: float


class NearIndex:
    """Finds, among the texts that it was made of, those that share most of a text's runs of three words."""

    def __init__(self, texts: Sequence[str]) -> None:
        import numpy as np

        random = np.random.default_rng(_SEED)
        self._factors = random.integers(0, 2**32, (_BANDS * _ROWS, 1), dtype=np.uint32) | np.uint32(1)
        self._shingles = [shingles_of(text) for text in texts]
        bands = self._bands_of(self._shingles)
        self._order = np.argsort(bands, axis=0, kind="stable")
        self._sorted = np.take_along_axis(bands, self._order, axis=0)

    def search(self, texts: Sequence[str], threshold: float) -> list[Match | None]:
        """Return for each text its best match with an overlap of `threshold` or more, or None."""
        import numpy as np

        queries = [shingles_of(text) for text in texts]
        bands = self._bands_of(queries)
        spans = [
            (np.searchsorted(column, keys, "left"), np.searchsorted(column, keys, "right"))
            for column, keys in zip(self._sorted.T, bands.T, strict=True)
        ]
        starts, ends = (np.stack(side, axis=1) for side in zip(*spans, strict=True))
        return [
            self._best(queries[row], self._candidates(starts[row], ends[row]), threshold) for row in range(len(texts))
        ]

    def _candidates(self, starts: Any, ends: Any) -> list[int]:
        import numpy as np

        bands = np.flatnonzero(ends > starts)
        if not len(bands):
            return []
        rows = np.concatenate([self._order[starts[band] : ends[band], band] for band in bands])
        places, hits = np.unique(rows, return_counts=True)
        return [int(place) for place in places[np.argsort(-hits, kind="stable")[:_MOST_CANDIDATES]]]

    def _best(self, query: Hashes, candidates: list[int], threshold: float) -> Match | None:
        matches = [Match(place, overlap_of(query, self._shingles[place])) for place in candidates]
        best = max(matches, key=lambda match: match.overlap, default=None)
        return best if best and best.overlap >= threshold else None

    def _bands_of(self, shingles: Sequence[Hashes]) -> Any:
        """Return band keys, uint64 `[texts, bands]`."""
        import numpy as np

        keys = np.empty((len(shingles), _BANDS), np.uint64)
        mixers = np.array(_ODD, np.uint64)
        for row, hashes in enumerate(shingles):
            signature = (self._factors * (hashes >> np.uint64(32)).astype(np.uint32)).min(axis=1)
            keys[row] = (signature.reshape(_BANDS, _ROWS) * mixers).sum(axis=1, dtype=np.uint64)
        return keys


def shingles_of(text: str) -> Hashes:
    """Return the distinct hashes, sorted, of the runs of three words of a normalised text; of all if it has fewer."""
    import numpy as np

    words = bare_words(text).split() or [text]
    hashes = np.array([zlib.crc32(word.encode("utf-8", "replace")) for word in words], np.uint64)
    width = min(_SHINGLE_WORDS, len(hashes))
    last = len(hashes) - width + 1
    runs = np.zeros(last, np.uint64)
    for place in range(width):
        runs += (hashes[place : place + last] + np.uint64(place + 1)) * np.uint64(_ODD[place])
        runs ^= runs >> np.uint64(29)
    return np.unique(runs * np.uint64(_ODD[1]))


def overlap_of(one: Hashes, other: Hashes) -> float:
    """Return the Jaccard overlap of two sets of distinct hashes."""
    import numpy as np

    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)
