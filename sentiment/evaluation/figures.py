"""The figures of one version on one data set, or on a part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sentiment.evaluation.bootstrap import Interval, macro_recall_interval, share_interval
from sentiment.evaluation.metrics import (
    accuracy,
    confusion,
    expected_calibration_error,
    f1s,
    fit_temperature,
    macro_f1,
    macro_recall,
    negative_log_likelihood,
    precisions,
    recalls,
)

_TINY: Final = 1e-12


@dataclass(frozen=True)
class ClassFigures:
    """One label: its texts and shares in [0, 1]; None where the share has nothing to be taken of."""

    label: str
    texts: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Figures:
    """Shares in [0, 1], 95 % intervals. `nll` is in nats a text; `confusion` has labels in rows.

    `temperature` is what would suit these texts best, on top of the version's own: above 1 it is too sure of itself.
    """

    texts: int
    accuracy: float
    accuracy_interval: Interval
    macro_recall: float
    macro_recall_interval: Interval
    macro_f1: float
    ece: float
    nll: float
    temperature: float
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]


def measure(ids: NDArray[np.int64], probabilities: NDArray[np.float64], labels: Sequence[str]) -> Figures:
    """Return the figures of probabilities [texts, labels] against label ids [texts]; at least one text is needed."""
    predictions, classes = probabilities.argmax(axis=1), len(labels)
    counts, logits = confusion(ids, predictions, classes), np.log(probabilities + _TINY)
    return Figures(
        texts=len(ids),
        accuracy=accuracy(ids, predictions),
        accuracy_interval=share_interval(int(counts.trace()), len(ids)),
        macro_recall=macro_recall(ids, predictions, classes),
        macro_recall_interval=macro_recall_interval(counts),
        macro_f1=macro_f1(ids, predictions, classes),
        ece=expected_calibration_error(probabilities, ids),
        nll=negative_log_likelihood(logits, ids),
        temperature=fit_temperature(logits, ids),
        classes=_by_class(ids, predictions, labels),
        confusion=tuple(tuple(row) for row in counts.tolist()),
    )


def _by_class(
    ids: NDArray[np.int64], predictions: NDArray[np.int64], labels: Sequence[str]
) -> tuple[ClassFigures, ...]:
    texts = np.bincount(ids, minlength=len(labels)).tolist()
    columns = [[_known(value) for value in of(ids, predictions, len(labels))] for of in (precisions, recalls, f1s)]
    return tuple(ClassFigures(*row) for row in zip(labels, texts, *columns, strict=True))


def _known(share: float) -> float | None:
    return None if np.isnan(share) else float(share)
