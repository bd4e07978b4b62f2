"""Measures of a classifier on labelled texts, and the temperature that makes its probabilities honest.

Labels and predictions are integer ids [texts]; probabilities and logits are [texts, classes].
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import logsumexp

_LEAST_TEMPERATURE: Final = 0.05
_LARGEST_TEMPERATURE: Final = 20.0


def accuracy(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Return the share of texts whose prediction is the label, in [0, 1]."""
    return float(np.mean(np.asarray(labels) == np.asarray(predictions)))


def confusion(labels: ArrayLike, predictions: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Return counts [classes, classes]: rows are labels, columns predictions."""
    cells = np.asarray(labels, dtype=np.int64) * classes + np.asarray(predictions, dtype=np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def recalls(labels: ArrayLike, predictions: ArrayLike, classes: int) -> NDArray[np.float64]:
    """Return each class's recall [classes]; NaN where no text has that label."""
    counts = confusion(labels, predictions, classes)
    return _ratio(counts.diagonal(), counts.sum(axis=1))


def precisions(labels: ArrayLike, predictions: ArrayLike, classes: int) -> NDArray[np.float64]:
    """Return each class's precision [classes]; NaN where nothing was called that."""
    counts = confusion(labels, predictions, classes)
    return _ratio(counts.diagonal(), counts.sum(axis=0))


def f1s(labels: ArrayLike, predictions: ArrayLike, classes: int) -> NDArray[np.float64]:
    """Return each class's F1 [classes]; NaN where it occurs neither among labels nor among predictions."""
    counts = confusion(labels, predictions, classes)
    return _ratio(2 * counts.diagonal(), counts.sum(axis=0) + counts.sum(axis=1))


def macro_recall(labels: ArrayLike, predictions: ArrayLike, classes: int) -> float:
    """Return the mean recall over the classes that occur, in [0, 1]: TweetEval's measure for sentiment."""
    return float(np.nanmean(recalls(labels, predictions, classes)))


def macro_f1(labels: ArrayLike, predictions: ArrayLike, classes: int) -> float:
    """Return the mean F1 over the classes that occur among labels or predictions, in [0, 1]."""
    return float(np.nanmean(f1s(labels, predictions, classes)))


def expected_calibration_error(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15) -> float:
    """Return the expected calibration error in [0, 1], over `bins` bins of equal width.

    The mean over texts of |accuracy − confidence| of the bin that the text's largest probability falls into
    (Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3).
    """
    bins_ = reliability(probabilities, labels, bins)
    gaps = np.abs(bins_.accuracies - bins_.confidences)
    return float(np.nansum(gaps * bins_.texts) / bins_.texts.sum())


class Reliability(NamedTuple):
    """A reliability diagram, one entry a bin: its texts, their mean confidence and accuracy (NaN in an empty bin)."""

    texts: NDArray[np.int64]
    confidences: NDArray[np.float64]
    accuracies: NDArray[np.float64]


def reliability(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15) -> Reliability:
    """Sort texts into `bins` bins of equal width by their largest probability, and compare it with the accuracy."""
    scores = np.asarray(probabilities, dtype=np.float64)
    confidence = scores.max(axis=1)
    right = scores.argmax(axis=1) == np.asarray(labels)
    places = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    texts = np.bincount(places, minlength=bins)
    sums = (np.bincount(places, weights=values, minlength=bins) for values in (confidence, right))
    return Reliability(texts, *(_ratio(values, texts) for values in sums))


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the temperature T > 0 for which softmax(logits / T) has the least negative log-likelihood on `labels`."""
    scores, ids = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    bounds = (np.log(_LEAST_TEMPERATURE), np.log(_LARGEST_TEMPERATURE))
    result = minimize_scalar(
        lambda log: negative_log_likelihood(scores / np.exp(log), ids), bounds=bounds, method="bounded"
    )
    return float(np.exp(result.x))


def fit_shift(logits: ArrayLike, labels: ArrayLike, label: int) -> float:
    """Return what to add to the logits of one label so that they suit `labels` best at some temperature.

    Best is the least negative log-likelihood. The other labels keep their borders with each other.
    """
    scores, ids = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    column = np.eye(scores.shape[1])[label]

    def loss(parameters: NDArray[np.float64]) -> float:
        return negative_log_likelihood((scores + parameters[0] * column) * np.exp(parameters[1]), ids)

    return float(minimize(loss, np.zeros(2), method="BFGS").x[0])


def fit_biases(logits: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Return what to add to each label's logits [labels] so that they suit `labels` best at some temperature.

    Best is the least negative log-likelihood; the mean of what is added is 0. "Bias-corrected temperature scaling"
    (Alexandari, Kundaje and Shrikumar 2020): it undoes what class weights did to the probabilities.
    """
    scores, ids = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    classes = scores.shape[1]

    def loss(parameters: NDArray[np.float64]) -> float:
        return negative_log_likelihood((scores + parameters[:classes]) * np.exp(parameters[classes]), ids)

    biases: NDArray[np.float64] = minimize(loss, np.zeros(classes + 1), method="BFGS").x[:classes]
    centred: NDArray[np.float64] = biases - biases.mean()
    return centred


def negative_log_likelihood(logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean of −log softmax(logits)[label] over texts, in nats."""
    scores, ids = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    return float(np.mean(logsumexp(scores, axis=1) - scores[np.arange(len(ids)), ids]))


def _ratio(parts: NDArray[Any], wholes: NDArray[np.int64]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.divide(parts, wholes, out=np.full(len(parts), np.nan), where=wholes > 0)
    return ratio
