"""Optimisers by name, with the parameters grouped for weight decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from sentiment.errors import InvalidInput
from sentiment.training.config import OPTIMIZERS


def make_optimizer(name: str, model: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """Return the optimiser `name` over all trainable parameters of `model`.

    `sgd` has Nesterov's momentum of 0.9.

    Raises:
        InvalidInput: there is no optimiser of that name.
    """
    groups = parameter_groups(model.parameters(), weight_decay)
    if name == "adamw":
        return torch.optim.AdamW(groups, lr=learning_rate, fused=True)
    if name == "adam":
        return torch.optim.Adam(groups, lr=learning_rate, fused=True)
    if name == "adagrad":
        return torch.optim.Adagrad(groups, lr=learning_rate)
    if name == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9, nesterov=True)
    raise InvalidInput(f"optimizer is {name!r}; it must be one of {', '.join(OPTIMIZERS)}", "optimizer")


def parameter_groups(parameters: Iterable[Tensor], weight_decay: float) -> list[dict[str, Any]]:
    """Return two groups: matrices with weight decay; biases and norms without."""
    learning = [parameter for parameter in parameters if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in learning if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in learning if parameter.ndim <= 1], "weight_decay": 0.0},
    ]


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all groups."""
    for group in optimizer.param_groups:
        group["lr"] = rate
