"""The labels with their fixed ids, and the sentiment scale on which all models are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

NEGATIVE: Final = "negative"
NEUTRAL: Final = "neutral"
POSITIVE: Final = "positive"

THREE_CLASSES: Final = (NEGATIVE, NEUTRAL, POSITIVE)
TWO_CLASSES: Final = (NEGATIVE, POSITIVE)

#: The label set of each registered model.
LABEL_SETS: Final[dict[str, tuple[str, ...]]] = {"sentiment": THREE_CLASSES, "sentiment-reviews": TWO_CLASSES}

#: Probabilities of a text that a model cannot read: nearly even, and of sentiment 0, so that no trend moves.
_PRIOR: Final = {NEGATIVE: 0.3, NEUTRAL: 0.4, POSITIVE: 0.3}

#: The verdict of a text that the model cannot read.
UNSUPPORTED: Final = "Unsupported"

_VERDICTS: Final = (
    (0.9, "Extremely Positive"),
    (0.6, "Positive"),
    (0.5, "Somewhat Positive"),
    (0.4, "Somewhat Negative"),
    (0.1, "Negative"),
)


def sentiment_of(probabilities: Sequence[float], labels: Sequence[str]) -> float:
    """Return P(positive) − P(negative), in [−1, 1]: the number that trends are made of.

    `probabilities` has one entry per label of `labels`, in that order.
    """
    by_label = dict(zip(labels, probabilities, strict=True))
    return by_label[POSITIVE] - by_label[NEGATIVE]


def prior_of(labels: Sequence[str]) -> tuple[float, ...]:
    """Return the probabilities of a text that a model cannot read; equal ones if no label is neutral."""
    if NEUTRAL not in labels:
        return (1 / len(labels),) * len(labels)
    return tuple(_PRIOR[label] for label in labels)


def verdict_of(sentiment: float, *, is_supported: bool = True) -> str:
    """Return a sentiment in words, in six levels of (1 + sentiment) / 2, or that the text could not be read."""
    if not is_supported:
        return UNSUPPORTED
    positive = (1.0 + sentiment) / 2.0
    return next((words for bound, words in _VERDICTS if positive > bound), "Extremely Negative")
