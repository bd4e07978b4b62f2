"""Calibration that changes a trained classifier's weights."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike

from sentiment.errors import InvalidInput
from sentiment.models.bundle import ModelBundle
from sentiment.training.objectives.learner import head_of


def move_biases(start: ModelBundle, shifts: ArrayLike) -> None:
    """Add `shifts` [labels] to the biases of a classifier's last layer, in place.

    Raises:
        InvalidInput: it has no linear last layer with biases.
    """
    head = head_of(start.model, start.config.labels)
    if head.bias is None:
        raise InvalidInput(
            f"the head of this {start.architecture} has no biases to calibrate: use calibration=temperature",
            "calibration",
        )
    with torch.no_grad():
        head.bias.add_(torch.as_tensor(shifts, dtype=head.bias.dtype))
