"""Hugging Face encoders that are not BERT-like: the library's own network, pooled, with a linear head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from sentiment.errors import InvalidInput, ModelRejected
from sentiment.models.architectures.dropout import Dropout
from sentiment.models.bundle import ModelBundle, Share, Size, overridden
from sentiment.models.huggingface.checkpoint import current_name, read_config, read_tokenizer
from sentiment.models.huggingface.weights import read_tensors
from sentiment.validation_messages import shown
from sentiment.version import CONFIG

_POSITIONS: Final = 256
_TOLERANCE: Final = 1e-4
_POOLER: Final = "pooler"
#: Fields that the data or the wrapped encoder determine.
_FIXED: Final = frozenset({"labels", "vocabulary", "transformer"})


@dataclass(frozen=True)
class HubConfig:
    """The hyperparameters of a wrapped encoder."""

    vocabulary: Size
    labels: Size = 3
    positions: Size = _POSITIONS
    """Longest window in tokens."""
    dropout: Share = 0.1
    trained: Literal["all", "head"] = "all"
    """`head` freezes the encoder."""
    transformer: dict[str, Any] = field(default_factory=dict)
    """The encoder's config.json."""


class HubClassifier(nn.Module):
    """Classifies by the mean of a Hugging Face encoder's outputs, without padding."""

    def __init__(self, config: HubConfig) -> None:
        super().__init__()
        self.config = config
        self.body = _network(config.transformer)
        self.dropout = Dropout(config.dropout)
        self.head = nn.Linear(self.body.config.hidden_size, config.labels)
        for name, parameter in self.body.named_parameters():  # poolers get no gradient, for which workers would wait
            parameter.requires_grad_(config.trained == "all" and _POOLER not in name)

    def train(self, mode: bool = True) -> Self:
        """Switch dropout on or off; in a frozen encoder it stays off."""
        super().train(mode)
        if self.config.trained == "head":
            self.body.eval()
        return self

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [batch, labels]; `input_ids` and `attention_mask` (0 at padding) are int64 [batch, tokens]."""
        states = self.body(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.to(states.dtype)[:, :, None]
        mean = (states * weights).sum(dim=1) / weights.sum(dim=1)
        logits: Tensor = self.head(self.dropout(mean))
        return logits


def wrap(folder: Path, labels: int, overrides: Mapping[str, object]) -> ModelBundle:
    """Build a classifier around the encoder in a Hugging Face folder.

    Raises:
        InvalidInput: an override cannot be set, or asks for longer windows than the encoder reads.
        ModelRejected: the encoder needs code from the model, or its answers change with padding.
    """
    tokenizer, origin = read_tokenizer(folder), portable(read_config(folder))
    vocabulary = max(int(origin.get("vocab_size", 0)), 1)
    longest = int(origin.get("max_position_embeddings", _POSITIONS))
    for name in sorted(overrides.keys() & _FIXED):
        raise InvalidInput(
            f"{name} cannot be set: the data or the encoder in {folder} determine it; leave it out", name
        )
    config = overridden(HubConfig(vocabulary, labels, min(longest, _POSITIONS), transformer=origin), overrides)
    if "max_position_embeddings" in origin and config.positions > longest:
        raise InvalidInput(f"positions is {config.positions}; {folder} reads at most {longest} tokens", "positions")
    model = HubClassifier(config)
    _fill(model.body, folder)
    _require_padding_unread(model, tokenizer, folder)
    return ModelBundle(model, config, tokenizer, "hub")


def portable(origin: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config.json without references to code and to its origin."""
    return {name: value for name, value in origin.items() if name not in ("auto_map", "_name_or_path")}


def _network(origin: Mapping[str, Any]) -> Any:
    from transformers import AutoConfig, AutoModel

    try:
        config = AutoConfig.for_model(**origin)
        return AutoModel.from_config(config, trust_remote_code=False, attn_implementation="eager")
    except Exception as exc:  # the library raises any exception for unknown configs
        raise ModelRejected(
            f"transformers cannot build an encoder of model_type {shown(origin.get('model_type'))} without code from "
            f"the model: {exc}"
        ) from exc


def _fill(network: Any, folder: Path) -> None:
    prefix = f"{network.base_model_prefix}."
    tensors = {current_name(name).removeprefix(prefix): tensor for name, tensor in read_tensors(folder).items()}
    try:
        missing = [name for name in network.load_state_dict(tensors, strict=False).missing_keys if _POOLER not in name]
    except RuntimeError as exc:  # shapes
        raise ModelRejected(f"{folder}: {CONFIG} and the safetensors are not of one model: {exc}") from exc
    if missing:
        raise ModelRejected(f"{folder} has no tensor {missing[0]!r}, which the model of its {CONFIG} needs")


def _require_padding_unread(model: HubClassifier, tokenizer: Tokenizer, folder: Path) -> None:
    ids = torch.tensor([tokenizer.encode("a b").ids])
    padded = nn.functional.pad(ids, (0, 3))
    model.eval()
    with torch.no_grad():
        alone = model(ids, torch.ones_like(ids))
        beside = model(padded, nn.functional.pad(torch.ones_like(ids), (0, 3)))
    model.train()
    if not torch.allclose(alone, beside, atol=_TOLERANCE):
        raise ModelRejected(
            f"{folder}: this model's answer for a text changes with the padding behind it, so it cannot be served in "
            "batches"
        )
