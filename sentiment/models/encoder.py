"""The encoder classifier: a BERT-like transformer, the mean of its outputs, one linear layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

_MASKED: Final = -1e4
_BERT_LAYER: Final = {
    "attention.output.dense": "attention_out",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "widen",
    "output.dense": "narrow",
    "output.LayerNorm": "output_norm",
}


@dataclass(frozen=True)
class EncoderConfig:
    """The shape of an encoder classifier. `positions` is the longest window in tokens, [CLS] and [SEP] counted."""

    vocabulary: int
    labels: int = 3
    hidden: int = 384
    layers: int = 6
    heads: int = 12
    feed_forward: int = 1536
    positions: int = 256
    dropout: float = 0.1
    layer_norm_eps: float = 1e-12


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward block, each followed by a residual sum and a layer norm, as in BERT."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.heads, self.width = config.heads, config.hidden // config.heads
        self.attention_in = nn.Linear(config.hidden, 3 * config.hidden)
        self.attention_out = nn.Linear(config.hidden, config.hidden)
        self.attention_norm = nn.LayerNorm(config.hidden, eps=config.layer_norm_eps)
        self.widen = nn.Linear(config.hidden, config.feed_forward)
        self.narrow = nn.Linear(config.feed_forward, config.hidden)
        self.output_norm = nn.LayerNorm(config.hidden, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, states: Tensor, bias: Tensor) -> Tensor:
        """Map states [batch, tokens, hidden]; `bias` [batch, 1, 1, tokens] is added to the attention's logits."""
        states = self.attention_norm(states + self.dropout(self._attend(states, bias)))
        states = states + self.dropout(self.narrow(nn.functional.gelu(self.widen(states))))
        normed: Tensor = self.output_norm(states)
        return normed

    def _attend(self, states: Tensor, bias: Tensor) -> Tensor:
        parts = self.attention_in(states).split(self.heads * self.width, dim=-1)
        queries, keys, values = (
            part.reshape(states.shape[0], -1, self.heads, self.width).transpose(1, 2) for part in parts
        )
        logits = (queries * self.width**-0.5) @ keys.transpose(-1, -2) + bias
        attention = self.dropout(torch.softmax(logits, dim=-1))
        merged = (attention @ values).transpose(1, 2).reshape(states.shape[0], -1, self.heads * self.width)
        projected: Tensor = self.attention_out(merged)
        return projected


class EncoderClassifier(nn.Module):
    """Tells the label of a text: logits from the mean of the encoder's outputs over the tokens that are not padding."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.words = nn.Embedding(config.vocabulary, config.hidden)
        self.positions = nn.Embedding(config.positions, config.hidden)
        self.norm = nn.LayerNorm(config.hidden, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))
        self.head = nn.Linear(config.hidden, config.labels)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [batch, labels]; `input_ids` and `attention_mask` (0 at padding) are [batch, tokens]."""
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        states = self.dropout(self.norm(self.words(input_ids) + self.positions(places)))
        weights = attention_mask.to(states.dtype)
        bias = (1.0 - weights)[:, None, None, :] * _MASKED
        for layer in self.layers:
            states = layer(states, bias)
        mean = (states * weights[:, :, None]).sum(dim=1) / weights.sum(dim=1, keepdim=True)
        logits: Tensor = self.head(self.dropout(mean))
        return logits


def from_bert(bert: Mapping[str, Tensor], config: EncoderConfig, rows: Sequence[Sequence[int]]) -> EncoderClassifier:
    """Return a classifier that starts from a BERT checkpoint's tensors (Hugging Face names, no prefix).

    `rows` has an entry per piece of the new vocabulary: the old rows of which its embedding is the mean. The one token
    type that classification uses is added to the positions. The head is new (drawn from torch's global generator).
    """
    model = EncoderClassifier(config)
    state = model.state_dict()
    state.update(_from_bert_embeddings(bert, config, rows))
    for number in range(config.layers):
        state.update(_from_bert_layer(bert, number))
    model.load_state_dict(state)
    return model


def _from_bert_embeddings(
    bert: Mapping[str, Tensor], config: EncoderConfig, rows: Sequence[Sequence[int]]
) -> dict[str, Tensor]:
    words = bert["embeddings.word_embeddings.weight"]
    token_type = bert["embeddings.token_type_embeddings.weight"][0]
    return {
        "words.weight": torch.stack([words[list(row)].mean(dim=0) for row in rows]),
        "positions.weight": bert["embeddings.position_embeddings.weight"][: config.positions] + token_type,
        "norm.weight": bert["embeddings.LayerNorm.weight"],
        "norm.bias": bert["embeddings.LayerNorm.bias"],
    }


def _from_bert_layer(bert: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    old, new = f"encoder.layer.{number}", f"layers.{number}"
    state = {}
    for kind in ("weight", "bias"):
        parts = [bert[f"{old}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
        state[f"{new}.attention_in.{kind}"] = torch.cat(parts)
        state.update({f"{new}.{here}.{kind}": bert[f"{old}.{there}.{kind}"] for there, here in _BERT_LAYER.items()})
    return state
