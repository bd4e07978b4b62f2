"""Several rows of a head that mean one label: their probabilities are summed, in the network and in its graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

#: Added to the logits of other labels' rows: e to that is nothing, in bfloat16 too.
_NOT_ITS_OWN: Final = -1e4


class LabelSums(nn.Module):
    """Turns logits [batch, rows] into logits [batch, labels]; `rows[i]` is the place of the label that row i means.

    A label's logit is the logarithm of the sum of its rows' exponentials, so that the softmax of what comes out is the
    sum of the softmax of what goes in. A temperature divides what comes out. Without `rows` nothing is changed.
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
