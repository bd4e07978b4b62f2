"""Imports classifiers that others trained: a Hugging Face folder becomes a model of the zoo with the same answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import torch
from tokenizers import Tokenizer
from torch import Tensor

from sentiment.datasets.source.label_spec import LabelSpec
from sentiment.errors import ModelRejected
from sentiment.models.architectures.encoder import EncoderClassifier, load_body
from sentiment.models.bundle import ModelBundle
from sentiment.models.huggingface.checkpoint import (
    Checkpoint,
    counts_from_padding,
    is_bert_like,
    padding_of,
    read_checkpoint,
    read_config,
    read_tokenizer,
)
from sentiment.models.huggingface.head_labels import HeadLabels, read_head_labels, require_one_label
from sentiment.models.huggingface.hub import tokenizer_of_transformers
from sentiment.models.huggingface.pretrained import wrap_classifier
from sentiment.models.huggingface.weights import read_tensors
from sentiment.validation_messages import in_one_line, listed, shown
from sentiment.version import CONFIG, SHORTEST_WINDOW_TOKENS, TOKENIZER

_Head = tuple[Literal["tanh", "relu"], str, str]
#: Heads of Hugging Face models: the activation between its two layers, and the names of these.
_KINDS: Final[Mapping[str, _Head]] = {
    "bert": ("tanh", "pooler.dense", "classifier"),
    "distilbert": ("relu", "pre_classifier", "classifier"),
    "roberta": ("tanh", "classifier.dense", "classifier.out_proj"),
}
#: Last layers of the heads of transformers' classifiers.
_LAST_LAYERS: Final = ("classifier.out_proj", "classifier", "score", "logits_proj", "classification_head.out_proj")
_PADDINGS: Final = ("<pad>", "[PAD]")


@dataclass(frozen=True)
class ImportedClassifier:
    """An imported classifier as a model of the zoo, and the meaning of its head's rows."""

    start: ModelBundle
    head: HeadLabels


def import_classifier(folder: Path, spec: LabelSpec | None = None) -> ImportedClassifier:
    """Read a fine-tuned classifier; its labels are put in the order of our label sets, by their names or `spec`.

    Its answers are those of transformers up to rounding. BERT, RoBERTa, XLM-RoBERTa, CamemBERT and DistilBERT become
    our encoder; other types, and variants of these, keep the network of transformers.

    Raises:
        ModelRejected: it does not classify into one label, its files are not of one model, or its labels are in none of
            our label sets; the message names them.
        InvalidInput: its labels have no names and `spec` is None, or `spec` does not fit them.
    """
    origin = read_config(folder)
    _refuse_other_forms(origin, folder)
    require_one_label(origin, folder)
    tensors = read_tensors(folder)
    last = next((layer for layer in _LAST_LAYERS if f"{layer}.weight" in tensors), None)
    if last is None:
        raise ModelRejected(
            f"{folder} has none of the tensors {listed(f'{layer}.weight' for layer in _LAST_LAYERS)}: it is not a "
            "classifier. Fine-tune it with preset `hub` first"
        )
    _require_numbers(tensors, folder)
    head = read_head_labels(origin, len(tensors[f"{last}.weight"]), spec, folder)
    tokenizer = _tokenizer(folder)
    if is_bert_like(origin) and _counts_alike(origin, tokenizer):
        start = _encoder(replace(read_checkpoint(folder), tokenizer=tokenizer), head, folder)
    else:
        start = wrap_classifier(folder, origin, tokenizer, tensors, head, last)
    _require_vocabulary(start, folder)
    _require_window(start, folder)
    return ImportedClassifier(start, head)


def _refuse_other_forms(origin: Mapping[str, Any], folder: Path) -> None:
    if "architecture" in origin:
        raise ModelRejected(
            f"{folder} holds a model of this platform: register its version with `undertone models register`"
        )
    if "quantization_config" in origin:
        raise ModelRejected(
            f"{folder} holds quantised weights (quantization_config in its {CONFIG}): name the original model"
        )
    if not origin.get("model_type"):
        raise ModelRejected(f"{folder / CONFIG} has no model_type: this is not a Hugging Face model")
    if not isinstance(padding := origin.get("pad_token_id"), int | None):
        raise ModelRejected(f"{folder / CONFIG}: pad_token_id {shown(padding)} is not a whole number")


def _require_numbers(tensors: Mapping[str, Tensor], folder: Path) -> None:
    broken = next((name for name, tensor in tensors.items() if not torch.isfinite(tensor.float()).all()), None)
    if broken:
        raise ModelRejected(f"{folder}: {broken} has infinite or NaN values: its training diverged; name another model")


def _tokenizer(folder: Path) -> Tokenizer:
    """Return the tokenizer that transformers would use: tokenizer_config.json may change that of tokenizer.json."""
    own = read_tokenizer(folder)
    changed = tokenizer_of_transformers(folder) if (folder / TOKENIZER).is_file() else None
    if changed is None:
        return own
    changed.no_truncation()
    changed.no_padding()
    return changed


def _counts_alike(origin: Mapping[str, Any], tokenizer: Tokenizer) -> bool:
    """Return whether our encoder counts positions as the model does: RoBERTa-like models never count padding."""
    if not counts_from_padding(str(origin["model_type"])):
        return True
    piece = tokenizer.id_to_token(padding_of(origin))
    return piece is None or piece in _PADDINGS


def _encoder(checkpoint: Checkpoint, head: HeadLabels, folder: Path) -> ModelBundle:
    activation, dense, out = _KINDS.get(str(checkpoint.origin["model_type"]), _KINDS["roberta"])
    rows = () if head.order else head.rows
    config = replace(checkpoint.config, labels=len(head.labels), pooling="first", head=activation, rows=rows)
    model = EncoderClassifier(config)
    try:
        load_body(model, checkpoint.state | _head(checkpoint, dense, out, head.order or range(len(head.rows)), folder))
    except RuntimeError as exc:  # shapes
        raise ModelRejected(f"{folder}: {CONFIG} and the safetensors are not of one model: {in_one_line(exc)}") from exc
    return ModelBundle(model.eval(), config, checkpoint.tokenizer, "encoder")


def _head(checkpoint: Checkpoint, dense: str, out: str, order: Sequence[int], folder: Path) -> dict[str, Tensor]:
    try:
        tensors = {f"dense.{kind}": checkpoint.tensors[f"{dense}.{kind}"] for kind in ("weight", "bias")}
        rows = torch.tensor(list(order))
        tensors |= {f"head.{kind}": checkpoint.tensors[f"{out}.{kind}"][rows] for kind in ("weight", "bias")}
    except KeyError as exc:
        raise ModelRejected(
            f"{folder} has no tensor {exc}: it is not a classifier. Fine-tune it with preset `hub` first"
        ) from exc
    return tensors


def _require_vocabulary(start: ModelBundle, folder: Path) -> None:
    pieces = max(start.tokenizer.get_vocab().values(), default=0) + 1
    if pieces > start.config.vocabulary:
        raise ModelRejected(
            f"{folder / TOKENIZER} has {pieces:,} pieces, but the model has embeddings of {start.config.vocabulary:,}: "
            "they are not of one model"
        )


def _require_window(start: ModelBundle, folder: Path) -> None:
    if start.config.positions < SHORTEST_WINDOW_TOKENS:
        raise ModelRejected(
            f"{folder} reads at most {start.config.positions} tokens, but a version needs windows of at least "
            f"{SHORTEST_WINDOW_TOKENS}"
        )
