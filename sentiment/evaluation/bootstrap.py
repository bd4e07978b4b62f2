"""How sure a figure is, and whether one version is better than another on the same texts: the bootstrap.

Labels and predictions are integer ids [texts].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

RESAMPLES: Final = 2000
_LEVEL: Final = 0.95
_BATCH_BYTES: Final = 16 << 20


class Interval(NamedTuple):
    """A 95 % confidence interval, in the unit of its figure."""

    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference:
    """One measure of two versions on the same texts: `first` − `second`, its interval, and a two-sided p-value."""

    measure: str
    first: float
    second: float
    difference: float
    interval: Interval
    p_value: float


def share_interval(right: int, texts: int) -> Interval:
    """Return Wilson's interval of a share `right` / `texts`."""
    interval = stats.binomtest(right, texts).proportion_ci(confidence_level=_LEVEL, method="wilson")
    return Interval(float(interval.low), float(interval.high))


def macro_recall_interval(confusion: NDArray[np.int64], seed: int = 0) -> Interval:
    """Return the bootstrap's percentile interval of macro-recall from counts [classes, classes], labels in rows.

    To draw texts with replacement is to draw the cells of the confusion matrix from a multinomial distribution.
    """
    texts = int(confusion.sum())
    drawn = np.random.default_rng(seed).multinomial(texts, confusion.ravel() / texts, size=RESAMPLES)
    cells = drawn.reshape(RESAMPLES, *confusion.shape)
    right, wholes = cells.diagonal(axis1=1, axis2=2), cells.sum(axis=2)
    low, high = np.quantile(_mean_share(right, wholes), [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Interval(float(low), float(high))


def compare(
    labels: ArrayLike, first: ArrayLike, second: ArrayLike, classes: int, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[PairedDifference, ...]:
    """Compare two versions' predictions on the same texts by macro-recall and by accuracy.

    Texts are drawn in pairs, with replacement (Koehn 2004, "Statistical Significance Tests for Machine Translation
    Evaluation"). The p-value is twice the share of resamples in which the difference has the other sign or none.
    """
    data = tuple(np.asarray(part, dtype=np.int16) for part in (labels, first, second))
    measures = {"macro_recall": partial(macro_recalls, classes=classes), "accuracy": accuracies}
    return tuple(_difference(name, measure, data, resamples, seed) for name, measure in measures.items())


def accuracies(labels: NDArray[np.integer[Any]], predictions: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Return the accuracy of each row of [..., texts]."""
    shares: NDArray[np.float64] = (labels == predictions).mean(axis=-1)
    return shares


def macro_recalls(
    labels: NDArray[np.integer[Any]], predictions: NDArray[np.integer[Any]], classes: int
) -> NDArray[np.float64]:
    """Return the macro-recall of each row of [..., texts], over the classes that occur in it."""
    right = labels == predictions
    members = [labels == label for label in range(classes)]
    hits = np.stack([(member & right).sum(axis=-1) for member in members], axis=-1)
    return _mean_share(hits, np.stack([member.sum(axis=-1) for member in members], axis=-1))


def _difference(
    name: str, measure: Any, data: tuple[NDArray[np.integer[Any]], ...], resamples: int, seed: int
) -> PairedDifference:
    labels, first, second = data
    ours, theirs = float(measure(labels, first)), float(measure(labels, second))

    def statistic(*drawn: NDArray[np.integer[Any]], axis: int) -> NDArray[np.float64]:
        texts, one, other = (np.moveaxis(part, axis, -1) for part in drawn)
        gap: NDArray[np.float64] = measure(texts, one) - measure(texts, other)
        return gap

    result = stats.bootstrap(
        data,
        statistic,
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        batch=max(_BATCH_BYTES // (labels.itemsize * len(labels)), 1),
        confidence_level=_LEVEL,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    interval = Interval(float(result.confidence_interval.low), float(result.confidence_interval.high))
    return PairedDifference(name, ours, theirs, ours - theirs, interval, _p_value(result.bootstrap_distribution))


def _p_value(differences: NDArray[np.float64]) -> float:
    """Count the observed sample in, so that no p-value is 0 (Davison and Hinkley 1997, chapter 4)."""
    tails = ((differences <= 0).sum(), (differences >= 0).sum())
    return min(1.0, 2 * (1 + int(min(tails))) / (1 + len(differences)))


def _mean_share(parts: NDArray[np.int64], wholes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean over the last axis of parts / wholes, classes without texts left out."""
    shares = np.divide(parts, wholes, out=np.zeros(parts.shape), where=wholes > 0)
    means: NDArray[np.float64] = shares.sum(axis=-1) / (wholes > 0).sum(axis=-1)
    return means
