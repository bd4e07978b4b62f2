"""Validation during training: the logits and figures of held-out texts, computed by all workers together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from torch import nn

from sentiment.evaluation.metrics import (
    accuracy,
    confusion,
    expected_calibration_error,
    macro_f1,
    macro_recall,
    negative_log_likelihood,
)
from sentiment.training.batching.batches import collate, row_of
from sentiment.training.batching.encoded import EncodedTexts
from sentiment.training.batching.plan import held_out_batches
from sentiment.training.team import ALONE, Team

_BINS: Final = 15


@dataclass(frozen=True)
class ValidationSet:
    """The labelled texts to validate on."""

    texts: EncodedTexts
    numbers: NDArray[np.int64]
    """Their positions in `texts`."""
    window_tokens: int
    """Longer texts are cut to their heads."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """Label ids [texts], in the order of `numbers`."""
        return self.texts.labels[self.numbers].astype(np.int64)


def held_out_logits(
    model: nn.Module, held_out: ValidationSet, team: Team = ALONE, dtype: torch.dtype = torch.float32
) -> NDArray[np.float32]:
    """Return the logits [texts, labels] in the order of `held_out.numbers`, the same on every worker."""
    batches = held_out_batches(held_out.texts, held_out.numbers, held_out.window_tokens)
    mine = [(cut, _logits(model, held_out, cut, team, dtype)) for cut in batches[team.rank :: team.size]]
    pieces = [part for parts in team.gather(mine) for part in parts]
    numbers = np.concatenate([np.asarray(cut) for cut, _ in pieces])
    logits: NDArray[np.float32] = np.concatenate([part for _, part in pieces])[np.argsort(numbers)]
    return logits


def figures_of_logits(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, Any]:
    """Return the figures of logits [texts, classes]: `validation_…`, and the tables of the two pictures.

    `confusion` has one row for each label; `reliability` has one row [texts, mean confidence, accuracy] for each bin.
    """
    predictions, classes = logits.argmax(axis=1), logits.shape[1]
    probabilities = softmax(logits.astype(np.float64), axis=1)
    return {
        "validation_loss": negative_log_likelihood(logits, labels),
        "validation_accuracy": accuracy(labels, predictions),
        "validation_macro_recall": macro_recall(labels, predictions, classes),
        "validation_macro_f1": macro_f1(labels, predictions, classes),
        "validation_ece": expected_calibration_error(probabilities, labels),
        "confusion": confusion(labels, predictions, classes).tolist(),
        "reliability": reliability(probabilities, labels),
    }


def reliability(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> list[list[float]]:
    """Return [texts, mean confidence, accuracy] for each non-empty bin of confidence."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    places = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    members = [places == place for place in range(_BINS)]
    return [
        [int(inside.sum()), float(confidence[inside].mean()), float(right[inside].mean())]
        for inside in members
        if inside.any()
    ]


def _logits(
    model: nn.Module, held_out: ValidationSet, cut: Sequence[int], team: Team, dtype: torch.dtype
) -> NDArray[np.float32]:
    batch = collate([row_of(held_out.texts, row, held_out.window_tokens) for row in cut]).to(team.device)
    kind = torch.device(team.device).type
    with torch.inference_mode(), torch.autocast(kind, torch.bfloat16, enabled=dtype == torch.bfloat16):
        logits = model(batch.input_ids, batch.attention_mask)
    values: NDArray[np.float32] = logits.float().cpu().numpy()
    return values
