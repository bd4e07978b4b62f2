"""Reads Hugging Face folders of BERT, RoBERTa, DistilBERT and their relatives as our encoder; never a pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer
from torch import Tensor

from sentiment.errors import InvalidInput, ModelRejected
from sentiment.models.architectures.encoder import EncoderConfig, encoder_state
from sentiment.models.bundle import checked
from sentiment.models.huggingface.hub import convert_tokenizer
from sentiment.models.huggingface.weights import WEIGHTS, deeper, read_tensors, refuse_pointer
from sentiment.validation_messages import listed, shown
from sentiment.version import CONFIG, TOKENIZER

#: Fields of our own config.json that are not hyperparameters of the network.
STEPS_FIELD: Final = "steps"
NOT_SHAPE: Final = frozenset({"architecture", STEPS_FIELD})
#: Types of Hugging Face models whose encoder computes what BERT's does; only names of tensors differ.
BERT_LIKE: Final = frozenset({"bert", "roberta", "xlm-roberta", "camembert", "distilbert"})

_PREFIXES: Final = ("bert.", "roberta.", "distilbert.", "camembert.", "model.")
_OLD_NORMS: Final = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
_DISTILBERT: Final = {
    "transformer.layer.": "encoder.layer.",
    "attention.q_lin": "attention.self.query",
    "attention.k_lin": "attention.self.key",
    "attention.v_lin": "attention.self.value",
    "attention.out_lin": "attention.output.dense",
    "sa_layer_norm": "attention.output.LayerNorm",
    "ffn.lin1": "intermediate.dense",
    "ffn.lin2": "output.dense",
    "output_layer_norm": "output.LayerNorm",
}
_POSITIONS_FIELD: Final = "max_position_embeddings"
_POSITIONS: Final = "embeddings.position_embeddings.weight"
_DISTILBERT_LAYERS: Final = 6
_ROBERTA_PADDING: Final = 1
_DISTILBERT_CONFIG: Final = {
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "dim": "hidden_size",
    "hidden_dim": "intermediate_size",
    "dropout": "hidden_dropout_prob",
    "activation": "hidden_act",
}


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint, both as our encoder and in its original form."""

    state: dict[str, Tensor]
    """Tensors of our encoder, without a head."""
    config: EncoderConfig
    tokenizer: Tokenizer
    tensors: Mapping[str, Tensor]
    """Original tensors by Hugging Face's names for BERT without the model's prefix; heads keep their own names."""
    origin: Mapping[str, Any]
    """Original config.json."""


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a Hugging Face folder of a BERT-like model, or a folder of this project with an encoder.

    Raises:
        ModelRejected: a file is missing or damaged, or the model is of another type, which the message names.
    """
    origin = read_config(folder)
    tokenizer = read_tokenizer(folder)
    tensors = read_tensors(folder)
    if origin.get("architecture") == "encoder":
        return _own(folder, origin, tokenizer, tensors)
    if not is_bert_like(origin):
        raise ModelRejected(
            f"{folder} holds a model of type {shown(origin.get('model_type') or origin.get('architecture'))}, whose "
            f"encoder is not like BERT's: name one of {listed(sorted(BERT_LIKE))}, or use preset `hub`"
        )
    try:
        bert = as_bert(tensors, origin)
        vocabulary, positions = (len(bert[f"embeddings.{part}_embeddings.weight"]) for part in ("word", "position"))
        config = encoder_config({"vocab_size": vocabulary, **origin})
        state = encoder_state(bert, config.layers, positions)
    except KeyError as exc:
        raise ModelRejected(f"{folder / WEIGHTS} has no tensor {exc}, which a {origin['model_type']} has") from exc
    except (InvalidInput, TypeError, ValueError) as exc:
        raise ModelRejected(f"{folder / CONFIG} does not describe a {origin['model_type']}: {exc}") from exc
    _require_shape(folder, config, state, bert)
    if origin.get(_POSITIONS_FIELD) is not None:  # otherwise the length of the table counts
        _require_positions(folder, config.positions, tensors)
    return Checkpoint(state, replace(config, positions=positions), tokenizer, bert, origin)


def is_bert_like(origin: Mapping[str, Any]) -> bool:
    """Return whether a Hugging Face config.json describes a model that computes the same as our encoder."""
    spelt = _bert_spelling(origin)
    return (
        origin.get("model_type") in BERT_LIKE
        and spelt.get("hidden_act", "gelu") == "gelu"
        and origin.get("position_embedding_type", "absolute") == "absolute"
        and not origin.get("is_decoder", False)
    )


def encoder_config(origin: Mapping[str, Any]) -> EncoderConfig:
    """Return the config of our encoder for a BERT-like model's config.json. Raises InvalidInput."""
    spelt = _bert_spelling(origin)
    layers = _DISTILBERT_LAYERS if origin.get("model_type") == "distilbert" else 12
    shape = {
        "vocabulary": spelt["vocab_size"],
        "hidden": spelt.get("hidden_size", 768),
        "layers": spelt.get("num_hidden_layers", layers),
        "heads": spelt.get("num_attention_heads", 12),
        "feed_forward": spelt.get("intermediate_size", 3072),
        "positions": spelt.get(_POSITIONS_FIELD, 512),
        "dropout": spelt.get("hidden_dropout_prob", 0.1),
        "layer_norm_eps": spelt.get("layer_norm_eps", 1e-12),
    }
    return checked(EncoderConfig, shape)


def as_bert(tensors: Mapping[str, Tensor], origin: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the tensors of a BERT-like checkpoint under BERT's names, without the model's prefix, in float32.

    RoBERTa counts positions from the id of its padding + 1, so that the earlier rows of its table are dropped;
    DistilBERT has no token types, so that theirs are 0.
    """
    model_type = str(origin["model_type"])
    named = {_bert_name(name, model_type): _wide(tensor) for name, tensor in tensors.items()}
    if counts_from_padding(model_type) and _POSITIONS in named:
        named[_POSITIONS] = named[_POSITIONS][padding_of(origin) + 1 :]
    if model_type == "distilbert" and _POSITIONS in named:
        named["embeddings.token_type_embeddings.weight"] = torch.zeros_like(named[_POSITIONS][:1])
    return named


def counts_from_padding(model_type: str) -> bool:
    """Return whether a type of model counts positions from the id of its padding + 1."""
    return model_type not in ("bert", "distilbert")


def padding_of(origin: Mapping[str, Any]) -> int:
    """Return the id of the padding of a RoBERTa-like model."""
    pad_id = origin.get("pad_token_id")
    return _ROBERTA_PADDING if pad_id is None else int(pad_id)


def _wide(tensor: Tensor) -> Tensor:
    """Return a tensor in float32, so that later sums are not rounded to 16 bits."""
    return tensor.float() if tensor.is_floating_point() else tensor


def current_name(name: str) -> str:
    """Return a tensor's present name: the oldest checkpoints call a layer norm's parameters gamma and beta."""
    for old, new in _OLD_NORMS.items():
        name = name.replace(old, new)
    return name


def read_config(folder: Path) -> dict[str, Any]:
    """Return a model folder's config.json.

    Raises:
        ModelRejected: it is missing or no JSON object.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise ModelRejected(f"{folder} is not the folder of a model: it has no {CONFIG}{deeper(folder, CONFIG)}")
    refuse_pointer(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ModelRejected(f"{path} cannot be read as JSON: {exc}. Copy or download it again") from exc
    if not isinstance(content, dict):
        raise ModelRejected(f"{path} is not a JSON object. Copy or download it again")
    return content


def read_tokenizer(folder: Path) -> Tokenizer:
    """Return a model folder's tokenizer without truncation and padding, converted from other files if necessary.

    Raises:
        ModelRejected: there is no tokenizer that can be read.
    """
    path = folder / TOKENIZER
    refuse_pointer(path)
    try:
        tokenizer = Tokenizer.from_file(str(path)) if path.is_file() else convert_tokenizer(folder)
    except ModelRejected:
        raise
    except Exception as exc:  # the library raises nothing narrower
        raise ModelRejected(f"{path} cannot be read as a tokenizer: {exc}") from exc
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _own(folder: Path, origin: Mapping[str, Any], tokenizer: Tokenizer, tensors: Mapping[str, Tensor]) -> Checkpoint:
    fields = {name: value for name, value in origin.items() if name not in NOT_SHAPE | {"rows"}}
    state = {name: tensor for name, tensor in tensors.items() if not name.startswith(("head.", "dense."))}
    try:
        return Checkpoint(state, checked(EncoderConfig, fields), tokenizer, tensors, origin)
    except InvalidInput as exc:
        raise ModelRejected(f"{folder / CONFIG} does not describe an encoder: {exc}") from exc


def _require_shape(
    folder: Path, config: EncoderConfig, state: Mapping[str, Tensor], bert: Mapping[str, Tensor]
) -> None:
    """Refuse tensors whose sizes or number of layers do not match the config."""
    for name, expected in (
        ("words.weight", (config.vocabulary, config.hidden)),
        ("layers.0.widen.weight", (config.feed_forward, config.hidden)),
    ):
        if tuple(state[name].shape) != expected:
            actual = " x ".join(map(str, state[name].shape))
            raise ModelRejected(
                f"{folder}: {name} is {actual}, but its {CONFIG} says {expected[0]} x {expected[1]}: the two files are "
                "not of one model"
            )
    if any(name.startswith(f"encoder.layer.{config.layers}.") for name in bert):
        raise ModelRejected(
            f"{folder} has tensors of more layers than the {config.layers} of its {CONFIG}: they are not of one model"
        )


def _require_positions(folder: Path, expected: int, tensors: Mapping[str, Tensor]) -> None:
    """Refuse a table of positions whose length does not match the config."""
    name = next(name for name in tensors if name.endswith(_POSITIONS))
    if (rows := len(tensors[name])) != expected:
        raise ModelRejected(
            f"{folder}: {name} has {rows} rows, but its {CONFIG} says {expected} ({_POSITIONS_FIELD}): the two files "
            "are not of one model"
        )


def _bert_spelling(origin: Mapping[str, Any]) -> dict[str, Any]:
    if origin.get("model_type") != "distilbert":
        return dict(origin)
    return {_DISTILBERT_CONFIG.get(name, name): value for name, value in origin.items()}


def _bert_name(name: str, model_type: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    for old, new in (_DISTILBERT if model_type == "distilbert" else {}).items():
        name = name.replace(old, new)
    return current_name(name)
