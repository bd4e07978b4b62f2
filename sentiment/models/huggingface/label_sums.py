"""Adds the probabilities of several rows of a head that mean one label, in the network and in its exported graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

#: Added to the logits of other labels' rows: its exponential is 0, also in bfloat16.
_NOT_ITS_OWN: Final = -1e4


class LabelSums(nn.Module):
    """Turns logits [batch, rows] into logits [batch, labels]; `rows[i]` is the position of row i's label.

    A label's logit is the log-sum-exp of its rows, so that its probability is the sum of theirs. A temperature applies
    to the result. Without `rows` the logits stay as they are.
    """

    def __init__(self, rows: Sequence[int], labels: int) -> None:
        super().__init__()
        others = torch.arange(labels)[:, None] != torch.tensor(list(rows), dtype=torch.int64)[None, :]
        self.register_buffer("others", others.float() * _NOT_ITS_OWN, persistent=False)
        self.is_plain = not rows

    def forward(self, logits: Tensor) -> Tensor:
        """Return logits [batch, labels]."""
        if self.is_plain:
            return logits
        own = logits[:, None, :] + self.get_buffer("others").to(logits.dtype)[None]
        return torch.logsumexp(own, dim=-1)
