"""The encoder classifier: a BERT-like transformer, its outputs pooled, a small head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self

import torch
from torch import Tensor, nn

from sentiment.models.architectures.dropout import Dropout
from sentiment.models.bundle import Share, Size, SizeOrNone
from sentiment.models.huggingface.label_sums import LabelSums

_MASKED: Final = -1e4
_BERT_LAYER: Final = {
    "attention.output.dense": "attention_out",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "widen",
    "output.dense": "narrow",
    "output.LayerNorm": "output_norm",
}
_ACTIVATIONS: Final = {"tanh": torch.tanh, "relu": torch.relu}


@dataclass(frozen=True)
class EncoderConfig:
    """The hyperparameters of an encoder classifier."""

    vocabulary: Size
    labels: Size = 3
    hidden: Size = 384
    layers: Size = 6
    heads: Size = 12
    feed_forward: Size = 1536
    positions: Size = 256
    """Longest window in tokens, [CLS] and [SEP] included."""
    dropout: Share = 0.1
    layer_norm_eps: Share = 1e-12
    embedding: SizeOrNone = 0
    """Width of the word embeddings if they are narrower than the layers; 0: as wide."""
    pooling: Literal["mean", "first"] = "mean"
    """The mean of the tokens' outputs, or the first token's output."""
    head: Literal["linear", "tanh", "relu"] = "linear"
    """One linear layer, or two with this activation between them."""
    trained: Literal["all", "layers", "head"] = "all"
    """`layers` freezes the word embeddings, so that words without training texts stay near similar words.

    `head` freezes everything below the head, without dropout there.
    """
    rows: tuple[int, ...] = ()
    """For a head with several rows for one label: the position of each row's label (`LabelSums`)."""

    def __post_init__(self) -> None:
        if self.hidden % self.heads:
            raise ValueError(f"hidden is {self.hidden}; it must be a multiple of heads, which is {self.heads}")


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward block, each with a residual connection and a layer norm, as in BERT."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.heads, self.width = config.heads, config.hidden // config.heads
        self.attention_in = nn.Linear(config.hidden, 3 * config.hidden)
        self.attention_out = nn.Linear(config.hidden, config.hidden)
        self.attention_norm = nn.LayerNorm(config.hidden, eps=config.layer_norm_eps)
        self.widen = nn.Linear(config.hidden, config.feed_forward)
        self.narrow = nn.Linear(config.feed_forward, config.hidden)
        self.output_norm = nn.LayerNorm(config.hidden, eps=config.layer_norm_eps)
        self.dropout = Dropout(config.dropout)

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


class Encoder(nn.Module):
    """Embeddings and transformer layers: token ids in, one state for each token out."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.words = nn.Embedding(config.vocabulary, config.embedding or config.hidden)
        if config.embedding:
            self.widen_words = nn.Linear(config.embedding, config.hidden, bias=False)
        self.positions = nn.Embedding(config.positions, config.hidden)
        self.norm = nn.LayerNorm(config.hidden, eps=config.layer_norm_eps)
        self.dropout = Dropout(config.dropout)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))

    def hidden_states(self, input_ids: Tensor, attention_mask: Tensor) -> list[Tensor]:
        """Return the states of the embeddings and of each layer, each [batch, tokens, hidden].

        `input_ids` and `attention_mask` (0 at padding) are int64 [batch, tokens]; states at padding are undefined.
        """
        states = [self._embed(input_ids)]
        bias = (1.0 - attention_mask.to(states[0].dtype))[:, None, None, :] * _MASKED
        for layer in self.layers:
            states.append(layer(states[-1], bias))
        return states

    def _embed(self, input_ids: Tensor) -> Tensor:
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        words = self.words(input_ids)
        if hasattr(self, "widen_words"):
            words = self.widen_words(words)
        embedded: Tensor = self.dropout(self.norm(words + self.positions(places)))
        return embedded


class EncoderClassifier(Encoder):
    """Classifies by the pooled states of an encoder, without padding."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        self.config = config
        self.head_dropout = Dropout(config.dropout)
        if config.head != "linear":
            self.dense = nn.Linear(config.hidden, config.hidden)
        self.head = nn.Linear(config.hidden, len(config.rows) or config.labels)
        self.label_sums = LabelSums(config.rows, config.labels)
        if config.trained == "layers":
            self.words.requires_grad_(False)
        if config.trained == "head":
            for name, parameter in self.named_parameters():
                parameter.requires_grad_(name.startswith(("head.", "dense.")))

    def train(self, mode: bool = True) -> Self:
        """Switch dropout on or off; in a frozen encoder it stays off."""
        super().train(mode)
        if self.config.trained == "head":
            self.dropout.eval()
            self.layers.eval()
        return self

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [batch, labels]; `input_ids` and `attention_mask` (0 at padding) are int64 [batch, tokens]."""
        return self.logits(self.hidden_states(input_ids, attention_mask)[-1], attention_mask)

    def logits(self, states: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [batch, labels] from the last layer's states [batch, tokens, hidden]."""
        pooled = self.head_dropout(self._pool(states, attention_mask))
        if self.config.head != "linear":
            pooled = self.head_dropout(_ACTIVATIONS[self.config.head](self.dense(pooled)))
        logits: Tensor = self.label_sums(self.head(pooled))
        return logits

    def _pool(self, states: Tensor, attention_mask: Tensor) -> Tensor:
        if self.config.pooling == "first":
            return states[:, 0]
        weights = attention_mask.to(states.dtype)
        return (states * weights[:, :, None]).sum(dim=1) / weights.sum(dim=1, keepdim=True)


def load_body(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load an encoder's tensors into a model; tensors that only the model has, such as its head, stay."""
    model.load_state_dict({**model.state_dict(), **state})


def mean_rows(words: Tensor, rows: Sequence[Sequence[int]]) -> Tensor:
    """Return embeddings [len(rows), width], each the mean of some rows of `words` [vocabulary, width]."""
    ids = torch.tensor([old for row in rows for old in row])
    starts = torch.tensor([0, *(len(row) for row in rows)]).cumsum(dim=0)[:-1]
    return nn.functional.embedding_bag(ids, words, starts, mode="mean")


def encoder_state(bert: Mapping[str, Tensor], layers: int, positions: int) -> dict[str, Tensor]:
    """Return the tensors of our encoder from those of a BERT checkpoint (Hugging Face names, no prefix).

    The embedding of token type 0, the only one that classification uses, is added to the positions.
    """
    token_type = bert["embeddings.token_type_embeddings.weight"][0]
    state = {
        "words.weight": bert["embeddings.word_embeddings.weight"],
        "positions.weight": bert["embeddings.position_embeddings.weight"][:positions] + token_type,
        "norm.weight": bert["embeddings.LayerNorm.weight"],
        "norm.bias": bert["embeddings.LayerNorm.bias"],
    }
    for number in range(layers):
        state.update(_from_bert_layer(bert, number))
    return state


def _from_bert_layer(bert: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    old, new = f"encoder.layer.{number}", f"layers.{number}"
    state = {}
    for kind in ("weight", "bias"):
        parts = [bert[f"{old}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
        state[f"{new}.attention_in.{kind}"] = torch.cat(parts)
        state.update({f"{new}.{here}.{kind}": bert[f"{old}.{there}.{kind}"] for there, here in _BERT_LAYER.items()})
    return state
