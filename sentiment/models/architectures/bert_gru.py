"""BERT-GRU: a frozen encoder as word embeddings, two bidirectional GRU layers, one linear layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from sentiment.models.architectures.dropout import Dropout
from sentiment.models.architectures.encoder import Encoder, EncoderConfig
from sentiment.models.architectures.recurrent import Pooling, run_and_pool
from sentiment.models.bundle import Share, Size


@dataclass(frozen=True)
class BertGruConfig:
    """The hyperparameters of a BERT-GRU classifier."""

    encoder: EncoderConfig
    """The frozen encoder; its `labels`, `pooling`, `head` and `trained` are not used: it has no head."""
    labels: Size = 3
    hidden: Size = 256
    """Width of one direction."""
    layers: Size = 2
    dropout: Share = 0.25
    pooling: Pooling = "max"

    @property
    def vocabulary(self) -> int:
        """The number of pieces of the encoder."""
        return self.encoder.vocabulary

    @property
    def positions(self) -> int:
        """The longest window in tokens, [CLS] and [SEP] counted."""
        return self.encoder.positions


class BertGruClassifier(nn.Module):
    """Classifies by a bidirectional GRU over the states of a frozen encoder; only GRU and head are trained."""

    def __init__(self, config: BertGruConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.encoder)
        self.encoder.requires_grad_(requires_grad=False)
        self.gru = nn.GRU(
            config.encoder.hidden,
            config.hidden,
            config.layers,
            batch_first=True,
            bidirectional=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self.dropout = Dropout(config.dropout)
        self.head = nn.Linear(2 * config.hidden, config.labels)

    def train(self, mode: bool = True) -> Self:
        """Switch dropout on or off; in the frozen encoder it stays off."""
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [batch, labels]; `input_ids` and `attention_mask` (0 at padding) are int64 [batch, tokens]."""
        with torch.no_grad():
            states = self.encoder.hidden_states(input_ids, attention_mask)[-1]
        pooled = run_and_pool(self.gru, states, attention_mask, self.config.pooling)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits
