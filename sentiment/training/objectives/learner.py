"""The module that is trained: the model, with a projection if its hidden states are compared with a teacher's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sentiment.errors import InvalidInput
from sentiment.models.bundle import ModelBundle


class Learner(nn.Module):
    """A classifier that can also return the states before its last layer, projected to the teacher's width."""

    def __init__(self, start: ModelBundle, teacher_width: int | None = None) -> None:
        super().__init__()
        self.model = start.model
        self._states: Tensor | None = None
        self.projection: nn.Module | None = None
        if teacher_width is not None:
            head = head_of(self.model, start.config.labels)
            head.register_forward_pre_hook(self._keep)
            self.projection = _projection(head.in_features, teacher_width)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return logits [batch, labels] and projected states [batch, teacher_width], or None, both in float32."""
        logits = self.model(input_ids, attention_mask).float()
        if self.projection is None or self._states is None:
            return logits, None
        states, self._states = self._states, None
        return logits, self.projection(states).float()

    def _keep(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._states = inputs[0]


def head_of(model: nn.Module, labels: int) -> nn.Linear:
    """Return the last linear layer of a classifier with `labels` labels.

    Raises:
        InvalidInput: it has none.
    """
    layers = [part for part in model.modules() if isinstance(part, nn.Linear) and part.out_features == labels]
    if not layers:
        raise InvalidInput(
            f"{type(model).__name__} has no linear last layer: set distill.hidden_weight to 0", "distill"
        )
    return layers[-1]


def _projection(width: int, teacher_width: int) -> nn.Module:
    if width == teacher_width:
        return nn.Identity()
    projection = nn.Linear(width, teacher_width, bias=False)
    with torch.no_grad():  # draws nothing from the generator of the model's weights
        projection.weight.copy_(torch.eye(teacher_width, width))
    return projection
