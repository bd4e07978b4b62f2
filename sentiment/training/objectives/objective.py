"""The data of a training run, and the loss of a row that follows from them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sentiment.errors import InvalidInput
from sentiment.training.batching.batches import Batch
from sentiment.training.batching.encoded import UNLABELLED
from sentiment.training.batching.plan import BatchPlan
from sentiment.training.config import DistillConfig, TrainConfig
from sentiment.training.objectives.loss import RowLoss, class_weights, label_loss, soft_loss, state_loss
from sentiment.training.validation import ValidationSet

_DTYPES: Final = {"bfloat16": torch.bfloat16, "float32": torch.float32}


@dataclass(frozen=True)
class TeacherTargets:
    """A teacher's answers for all texts: logits [texts, labels] and, if needed, hidden states [texts, width]."""

    logits: NDArray[np.float32]
    states: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class TrainingData:
    """The data of a training run."""

    plan: BatchPlan
    """The training texts in batches."""
    held_out: ValidationSet
    targets: TeacherTargets | None = None
    """A teacher's answers, if the run distils."""
    loss: RowLoss | None = None
    """Replaces the usual loss."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 (64 hex digits) of the tokenised texts and their split."""
        hashed = hashlib.sha256()
        for texts, numbers in ((self.plan.texts, self.plan.numbers), (self.held_out.texts, self.held_out.numbers)):
            for part in (texts.ids, texts.starts, texts.labels, numbers):
                hashed.update(np.ascontiguousarray(part).data)
        return hashed.hexdigest()


def row_loss(config: TrainConfig, data: TrainingData, classes: int, device: str) -> RowLoss:
    """Return the loss of a run: the data's own, that of labels, or that of labels and a teacher.

    Raises:
        InvalidInput: there is no teacher, and the training texts have fewer than two classes.
    """
    if data.loss:
        return data.loss
    labels = data.plan.texts.labels[data.plan.numbers]
    labelled = labels[labels != UNLABELLED].tolist()
    if len(set(labelled)) < 2 and config.distill is None:
        count = len(set(labelled))
        raise InvalidInput(
            f"the training texts have {count} of the classes; they need at least two: name others", "data"
        )
    weights = class_weights(labelled or [0], classes, config.class_weight_power).to(device)
    if config.distill is None:
        return lambda logits, _, batch: label_loss(logits, batch.labels, weights)
    return distillation_loss(config.distill, weights)


def distillation_loss(config: DistillConfig, weights: Tensor) -> RowLoss:
    """Return the loss of a student; `weights` [classes] are the class weights of its labels' cross-entropy.

    A text without a label counts with the teacher's part of the loss alone.
    """

    def loss(logits: Tensor, states: Tensor | None, batch: Batch) -> Tensor:
        if batch.teacher_logits is None:
            raise InvalidInput("a student needs a teacher's answers, and the data have none: name a teacher", "distill")
        soft = (1.0 - config.hard_weight) * soft_loss(logits, batch.teacher_logits, config.temperature)
        total = soft + config.hard_weight * label_loss(logits, batch.labels, weights)
        if states is not None and batch.teacher_states is not None:
            total = total + config.hidden_weight * state_loss(states, batch.teacher_states)
        return total

    return loss


def dtype_of(name: str, device: str) -> torch.dtype:
    """Return the dtype of forward passes; `auto` is bfloat16 where the device has instructions for it."""
    if name != "auto":
        return _DTYPES[name]
    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    # On a CPU without such instructions, bfloat16 is slower than float32.
    fast = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if fast else torch.float32
