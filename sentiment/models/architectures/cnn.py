"""The convolutional classifier of Kim (2014): filters over 3, 4 and 5 tokens, their maxima over a text, and a head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from sentiment.models.architectures.dropout import Dropout
from sentiment.models.bundle import Share, Size


@dataclass(frozen=True)
class CnnConfig:
    """The hyperparameters of a convolutional classifier."""

    vocabulary: Size
    labels: Size = 3
    embedding: Size = 100
    filters: Size = 100
    """Number of filters of each size."""
    sizes: tuple[Size, ...] = (3, 4, 5)
    """Tokens that the filters cover."""
    dropout: Share = 0.5
    positions: Size = 512
    """Longest window in tokens."""


class CnnClassifier(nn.Module):
    """Classifies by the phrases in a text; it is small and fast, and can also be a student."""

    def __init__(self, config: CnnConfig) -> None:
        super().__init__()
        self.config = config
        self.words = nn.Embedding(config.vocabulary, config.embedding)
        self.convolutions = nn.ModuleList(nn.Conv1d(config.embedding, config.filters, size) for size in config.sizes)
        self.dropout = Dropout(config.dropout)
        self.head = nn.Linear(config.filters * len(config.sizes), config.labels)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [batch, labels]; `input_ids` and `attention_mask` (0 at padding) are int64 [batch, tokens].

        Words at padding are 0, and a phrase counts if it starts inside the text: the answer does not depend on padding.
        """
        visible = attention_mask.to(self.words.weight.dtype)[:, :, None]
        words = self.words(input_ids) * visible
        activations = [torch.relu(_convolve(cast("nn.Conv1d", part), words)) * visible for part in self.convolutions]
        strongest = torch.cat([answers.amax(dim=1) for answers in activations], dim=-1)
        logits: Tensor = self.head(self.dropout(strongest))
        return logits


def _convolve(convolution: nn.Conv1d, words: Tensor) -> Tensor:
    """Return the filters' outputs [batch, tokens, filters] at each token of `words` [batch, tokens, width].

    It is exported as a matrix product, which can be quantised by channel; ONNX Runtime has no such 8-bit convolution.
    """
    size = convolution.kernel_size[0]
    padded = nn.functional.pad(words, (0, 0, 0, size - 1))
    if not torch.onnx.is_in_onnx_export():
        answers: Tensor = convolution(padded.transpose(1, 2)).transpose(1, 2)
        return answers
    tokens = words.shape[1]
    phrases = torch.cat([padded[:, start : start + tokens] for start in range(size)], dim=-1)
    weights = convolution.weight.permute(2, 1, 0).reshape(-1, convolution.out_channels)
    product: Tensor = phrases @ weights
    return product if convolution.bias is None else product + convolution.bias
