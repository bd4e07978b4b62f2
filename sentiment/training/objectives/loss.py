"""The losses of single rows: cross-entropy, a variant for corpora without neutral, and losses against a teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from sentiment.labels import NEGATIVE, POSITIVE, THREE_CLASSES
from sentiment.training.batching.batches import Batch

#: Takes logits [batch, labels] (float32), the states before the last layer or None, and the batch; returns [batch].
RowLoss = Callable[[Tensor, Tensor | None, Batch], Tensor]

_ENDS = (THREE_CLASSES.index(NEGATIVE), THREE_CLASSES.index(POSITIVE))


def sentiment_loss(
    logits: Tensor, labels: Tensor, two_class: Tensor, class_weights: Tensor, neutral_weight: float
) -> Tensor:
    """Return the loss of each row [batch]. `logits` [batch, 3]; `labels` and `two_class` [batch].

    Rows of three-class corpora: the cross-entropy times the `class_weights` [3] of their labels. Rows of two-class
    corpora, which have no neutral texts: the cross-entropy between negative and positive alone, plus `neutral_weight`
    times that of all three classes.
    """
    full = functional.cross_entropy(logits, labels, reduction="none")
    ends = logits[:, list(_ENDS)]
    polar = functional.cross_entropy(ends, (labels == _ENDS[1]).long(), reduction="none")
    return torch.where(two_class, polar + neutral_weight * full, class_weights[labels] * full)


def label_loss(logits: Tensor, labels: Tensor, class_weights: Tensor) -> Tensor:
    """Return the cross-entropy of each row [batch] times its label's weight; 0 where the label is unknown (-1)."""
    labelled = labels >= 0
    weights = torch.where(labelled, class_weights[labels.clamp(min=0)], 0.0)
    return weights * functional.cross_entropy(logits, labels.clamp(min=0), reduction="none")


def soft_loss(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Return, for each row [batch], T² times the divergence KL(teacher ‖ student) of the softmax at temperature T.

    T² makes the size of the gradient independent of T (Hinton et al. 2015, "Distilling the Knowledge in a Neural
    Network", section 2).
    """
    student = functional.log_softmax(logits / temperature, dim=-1)
    teacher = functional.log_softmax(teacher_logits / temperature, dim=-1)
    return temperature**2 * (teacher.exp() * (teacher - student)).sum(dim=-1)


def state_loss(states: Tensor, teacher_states: Tensor) -> Tensor:
    """Return the cosine distance, in [0, 2], between student's and teacher's states [batch, width] of each row.

    As in DistilBERT (Sanh et al. 2019), section 2.
    """
    return 1.0 - functional.cosine_similarity(states, teacher_states, dim=-1)


def class_weights(labels: Sequence[int], classes: int, power: float) -> Tensor:
    """Return weights [classes], float32, proportional to frequency ** −power, with mean 1 over `labels`."""
    counts = torch.bincount(torch.tensor(labels), minlength=classes).float().clamp(min=1.0)
    weights = counts**-power
    return weights * counts.sum() / (weights * counts).sum()
