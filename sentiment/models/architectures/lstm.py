"""The LSTM classifier: word embeddings, two bidirectional LSTM layers, one linear layer."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from sentiment.models.architectures.dropout import Dropout
from sentiment.models.architectures.recurrent import Pooling, run_and_pool
from sentiment.models.bundle import Share, Size


@dataclass(frozen=True)
class LstmConfig:
    """The hyperparameters of an LSTM classifier."""

    vocabulary: Size
    labels: Size = 3
    embedding: Size = 100
    hidden: Size = 256
    """Width of one direction."""
    layers: Size = 2
    dropout: Share = 0.5
    pooling: Pooling = "max"
    """`max` is better for sentences than the last states (Conneau et al. 2017)."""
    positions: Size = 512
    """Longest window in tokens."""


class LstmClassifier(nn.Module):
    """Classifies by a bidirectional LSTM over word embeddings."""

    def __init__(self, config: LstmConfig) -> None:
        super().__init__()
        self.config = config
        self.words = nn.Embedding(config.vocabulary, config.embedding)
        self.dropout = Dropout(config.dropout)
        self.lstm = nn.LSTM(
            config.embedding,
            config.hidden,
            config.layers,
            batch_first=True,
            bidirectional=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self.head = nn.Linear(2 * config.hidden, config.labels)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [batch, labels]; `input_ids` and `attention_mask` (0 at padding) are int64 [batch, tokens]."""
        words = self.dropout(self.words(input_ids))
        pooled = run_and_pool(self.lstm, words, attention_mask, self.config.pooling)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits
