"""The loss of a model that learns three classes although some of its corpora know only two."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from sentiment.labels import NEGATIVE, POSITIVE, THREE_CLASSES

_ENDS = (THREE_CLASSES.index(NEGATIVE), THREE_CLASSES.index(POSITIVE))


def sentiment_loss(
    logits: Tensor, labels: Tensor, two_class: Tensor, class_weights: Tensor, neutral_weight: float
) -> Tensor:
    """Return the mean loss of a batch, a scalar. `logits` [batch, 3]; `labels` and `two_class` [batch].

    Rows of three-class corpora: cross-entropy, times the `class_weights` [3] of their labels. Rows of two-class
    corpora, whose authors dropped the neutral texts: cross-entropy between negative and positive alone, which says
    nothing of neutral, plus `neutral_weight` times that of all three.
    """
    full = functional.cross_entropy(logits, labels, reduction="none")
    ends = logits[:, list(_ENDS)]
    polar = functional.cross_entropy(ends, (labels == _ENDS[1]).long(), reduction="none")
    return torch.where(two_class, polar + neutral_weight * full, class_weights[labels] * full).mean()


def class_weights(labels: Sequence[int], classes: int, power: float) -> Tensor:
    """Return weights [classes] in proportion to frequency ** −power, of mean 1 over `labels` (float32)."""
    counts = torch.bincount(torch.tensor(labels), minlength=classes).float().clamp(min=1.0)
    weights = counts**-power
    return weights * counts.sum() / (weights * counts).sum()
