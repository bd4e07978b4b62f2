"""What a run learns from, and the loss of a row that follows from it."""

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
    """What a teacher says of every text: logits [texts, labels], and states [texts, width] where they are wanted."""

    logits: NDArray[np.float32]
    states: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class TrainingData:
    """What is learned from: the plan of the training texts, the texts to judge on, and a teacher's lesson, if any.

    `loss` stands in for that of labels and lessons where the texts ask for one of their own.
    """

    plan: BatchPlan
    held_out: ValidationSet
    lesson: TeacherTargets | None = None
    loss: RowLoss | None = None

    @cached_property
    def digest(self) -> str:
        """What tells these texts, tokenised and divided as they are, from any others: 64 hex digits."""
        hashed = hashlib.sha256()
        for texts, numbers in ((self.plan.texts, self.plan.numbers), (self.held_out.texts, self.held_out.numbers)):
            for part in (texts.ids, texts.starts, texts.labels, numbers):
                hashed.update(np.ascontiguousarray(part).data)
        return hashed.hexdigest()


def row_loss(config: TrainConfig, data: TrainingData, classes: int, device: str) -> RowLoss:
    """Return the loss of a run: the material's own, that of labels alone, or of a teacher's lesson too.

    Raises:
        InvalidInput: the training texts have labels of one class only, or none and there is no teacher.
    """
    if data.loss:
        return data.loss
    labels = data.plan.texts.labels[data.plan.numbers]
    known = labels[labels != UNLABELLED].tolist()
    if len(set(known)) < 2 and config.distill is None:
        raise InvalidInput(f"the training texts are of {len(set(known))} class; two are needed at least", "data")
    weights = class_weights(known or [0], classes, config.class_weight_power).to(device)
    if config.distill is None:
        return lambda logits, _, batch: label_loss(logits, batch.labels, weights)
    return distillation_loss(config.distill, weights)


def distillation_loss(config: DistillConfig, weights: Tensor) -> RowLoss:
    """Return the loss of a student; `weights` [classes] are those of hard labels.

    A text without a label is learned from the teacher alone, with the same weight as one with it.
    """

    def loss(logits: Tensor, states: Tensor | None, batch: Batch) -> Tensor:
        if batch.teacher_logits is None:
            raise InvalidInput("a student learns from a lesson, and the material has none", "distill")
        soft = (1.0 - config.hard_weight) * soft_loss(logits, batch.teacher_logits, config.temperature)
        total = soft + config.hard_weight * label_loss(logits, batch.labels, weights)
        if states is not None and batch.teacher_states is not None:
            total = total + config.hidden_weight * state_loss(states, batch.teacher_states)
        return total

    return loss


def dtype_of(name: str, device: str) -> torch.dtype:
    """Return what forward passes compute in; `auto` is bfloat16 where the device has instructions for it."""
    if name != "auto":
        return _DTYPES[name]
    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    # without such instructions bfloat16 on a CPU is slower than float32
    fast = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if fast else torch.float32
