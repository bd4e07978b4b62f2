"""Classifiers of other types than our encoder (DeBERTa and others): the transformers library's own network."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from sentiment.errors import ModelRejected
from sentiment.models.architectures.wrapped import portable
from sentiment.models.bundle import ModelBundle, Size
from sentiment.models.huggingface.checkpoint import current_name, padding_of
from sentiment.models.huggingface.head_labels import HeadLabels
from sentiment.models.huggingface.label_sums import LabelSums
from sentiment.validation_messages import in_one_line, shown
from sentiment.version import CONFIG

_LONGEST: Final = 512
_TOLERANCE: Final = 1e-4
_PADDING: Final = 3


@dataclass(frozen=True)
class PretrainedConfig:
    """The hyperparameters of a whole classifier of transformers."""

    vocabulary: Size
    labels: Size = 3
    positions: Size = _LONGEST
    """Longest window in tokens."""
    rows: tuple[int, ...] = ()
    """For a head with several rows for one label: the label of each row, as its position."""
    transformer: dict[str, Any] = field(default_factory=dict)
    """Its config.json."""


class PretrainedClassifier(nn.Module):
    """Classifies with a network of the transformers library."""

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__()
        self.config = config
        self.network = _network(config.transformer, len(config.rows) or config.labels)
        self.label_sums = LabelSums(config.rows, config.labels)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [batch, labels]; `input_ids` and `attention_mask` (0 at padding) are int64 [batch, tokens]."""
        logits: Tensor = self.label_sums(self.network(input_ids=input_ids, attention_mask=attention_mask).logits)
        return logits


def wrap_classifier(
    folder: Path,
    origin: Mapping[str, Any],
    tokenizer: Tokenizer,
    tensors: Mapping[str, Tensor],
    head: HeadLabels,
    head_name: str,
) -> ModelBundle:
    """Return the classifier of a folder with its own network; its labels are put in our order.

    `head_name` is the layer of the last tensors, without `.weight`.

    Raises:
        ModelRejected: transformers cannot build such a classifier without code from the model, a tensor is missing or
            of another size, or the answer for a text changes with the padding behind it.
    """
    rows = () if head.order else head.rows
    config = PretrainedConfig(1, len(head.labels), _LONGEST, rows, _plain(origin))
    try:
        model = PretrainedClassifier(config).eval()
    except ModelRejected as exc:
        raise ModelRejected(f"{folder}: {exc}") from exc
    _fill(model.network, _ordered(tensors, head, head_name), folder)
    try:
        _require_padding_unread(model, tokenizer, folder)
        vocabulary = model.network.get_input_embeddings().num_embeddings
        config = replace(config, vocabulary=vocabulary, positions=_positions(model, origin))
    except (IndexError, RuntimeError, ValueError, TypeError, AttributeError) as exc:
        raise ModelRejected(f"{folder}: the network of transformers fails on a text: {in_one_line(exc)}") from exc
    model.config = config
    return ModelBundle(model, config, tokenizer, "pretrained")


def _plain(origin: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config.json without the names of the labels."""
    names = ("id2label", "label2id", "num_labels", "problem_type")
    return {name: value for name, value in portable(origin).items() if name not in names}


def _positions(model: PretrainedClassifier, origin: Mapping[str, Any]) -> int:
    """Return how many tokens the model reads, 512 at most.

    Some models count positions from the id of their padding + 1. If config.json does not have the usual field, the
    length is found by trying.
    """
    padding = padding_of(origin) + 1
    table = min(int(origin.get("max_position_embeddings") or _LONGEST), _LONGEST + padding)
    for tokens in (table, table - padding):
        if 0 < tokens <= _LONGEST and _reads(model, tokens):
            return tokens
    return bisect_left(range(1, _LONGEST), True, key=lambda tokens: not _reads(model, tokens))


def _reads(model: PretrainedClassifier, tokens: int) -> bool:
    # Not the id of the padding: some models skip padding and would not reach the end of the table.
    ids = torch.full((1, tokens), padding_of(model.config.transformer) + 1)
    try:
        with torch.no_grad():
            model(ids, torch.ones_like(ids))
    except (IndexError, RuntimeError):
        return False
    return True


def _network(origin: Mapping[str, Any], rows: int) -> Any:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    try:
        config = AutoConfig.for_model(**origin, num_labels=rows)
        return AutoModelForSequenceClassification.from_config(
            config, trust_remote_code=False, attn_implementation="eager"
        )
    except Exception as exc:  # the library raises any exception for unknown configs
        raise ModelRejected(
            f"transformers cannot build a classifier of model_type {shown(origin.get('model_type'))} without code from "
            f"the model: {in_one_line(exc)}"
        ) from exc


def _ordered(tensors: Mapping[str, Tensor], head: HeadLabels, head_name: str) -> dict[str, Tensor]:
    """Return the tensors by their present names, the head's rows in our order if each label has one row."""
    named = {current_name(name): tensor for name, tensor in tensors.items()}
    if head.order:
        rows = torch.tensor(head.order)
        last = [f"{head_name}.{kind}" for kind in ("weight", "bias")]
        named |= {name: named[name][rows] for name in last if name in named}
    return named


def _fill(network: Any, tensors: Mapping[str, Tensor], folder: Path) -> None:
    prefix = f"{network.base_model_prefix}."
    expected = network.state_dict()
    renamed = {
        name if name in expected or name.startswith(prefix) else f"{prefix}{name}": tensor
        for name, tensor in tensors.items()
    }
    for name, target in expected.items():
        if name not in renamed:
            raise ModelRejected(f"{folder} has no tensor {name!r}, which the model of its {CONFIG} needs")
        if renamed[name].shape != target.shape:
            raise ModelRejected(
                f"{folder}: {name} is {_size(renamed[name])}, but its {CONFIG} says {_size(target)}: the two files are "
                "not of one model"
            )
    more = next((name for name in renamed if name not in expected and ".layer." in name), None)
    if more:
        raise ModelRejected(f"{folder} has a tensor {more!r}, which is not in the model of its {CONFIG}")
    network.load_state_dict({name: renamed[name] for name in expected})


def _size(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"


def _require_padding_unread(model: PretrainedClassifier, tokenizer: Tokenizer, folder: Path) -> None:
    ids = torch.tensor([tokenizer.encode("a b").ids])
    mask = torch.ones_like(ids)
    with torch.no_grad():
        alone = model(ids, mask)
        beside = model(nn.functional.pad(ids, (0, _PADDING)), nn.functional.pad(mask, (0, _PADDING)))
    if not torch.allclose(alone, beside, atol=_TOLERANCE):
        raise ModelRejected(
            f"{folder}: this model's answer for a text changes with the padding behind it, so it cannot be served in "
            "batches"
        )
