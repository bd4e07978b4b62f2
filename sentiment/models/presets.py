"""The presets: named choices of architecture, size and initial weights, built from a pretrained backbone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn

from sentiment.errors import InvalidInput
from sentiment.models.architectures.bert_gru import BertGruClassifier, BertGruConfig
from sentiment.models.architectures.cnn import CnnClassifier, CnnConfig
from sentiment.models.architectures.encoder import EncoderClassifier, load_body
from sentiment.models.architectures.lstm import LstmClassifier, LstmConfig
from sentiment.models.architectures.wrapped import wrap
from sentiment.models.bundle import ConfigT, ModelBundle, overridden
from sentiment.models.huggingface.backbone import (
    Backbone,
    find_backbone,
    narrowed,
    with_emoji,
    with_feed_forward,
    with_layers,
    with_vocabulary,
)
from sentiment.models.huggingface.checkpoint import is_bert_like, read_config
from sentiment.models.huggingface.hub import fetch
from sentiment.models.vectors import read_vectors
from sentiment.models.vocabulary import CountPieces, is_uncased_wordpiece

_NO_CHANGES: Final[Mapping[str, object]] = MappingProxyType({})
_WINDOW_TOKENS: Final = 256
_STUDENT_LAYERS: Final = 3
_STUDENT_WIDENING: Final = (
    2  # neurons a number of a state, half of BERT's: more layers of less come closer to a teacher
)
_STUDENT_EMBEDDING: Final = 128
_STUDENT_VOCABULARY: Final = 14_200
_DISTILBERT: Final = "distilbert/distilbert-base-uncased"
_WORDS_DEVIATION: Final = 0.4  # about that of GloVe's vectors: a network learns slowly from much smaller ones
#: Fields of an encoder's config that the data or the backbone determine.
_FIXED: Final = frozenset({"labels", "hidden", "heads", "layer_norm_eps"})


@dataclass(frozen=True)
class PresetRequest:
    """What a preset builds a classifier from."""

    labels: int
    """Number of labels."""
    backbone: str | None
    """Local folder, or name on the Hugging Face hub (`owner/name@revision`); None for the preset's own."""
    overrides: Mapping[str, object]
    """Fields of the config that differ from the preset's: `{"dropout": 0.2}`."""
    counts: CountPieces | None
    """Counts the training texts' pieces; a smaller vocabulary keeps the most frequent ones."""


def build(
    preset: str,
    labels: int,
    *,
    backbone: str | None = None,
    overrides: Mapping[str, object] = _NO_CHANGES,
    counts: CountPieces | None = None,
) -> ModelBundle:
    """Build an untrained classifier by the name of a preset; the arguments are the fields of `PresetRequest`.

    New weights, such as the head's, are drawn from torch's global generator.

    Raises:
        InvalidInput: there is no such preset or field, or the backbone does not allow the value.
        ModelRejected: the backbone's files are missing, broken, or of another kind.
    """
    if preset not in PRESETS:
        raise InvalidInput(f"There is no preset {preset!r}. The presets are {', '.join(PRESETS)}.", "model")
    return PRESETS[preset](PresetRequest(labels, backbone, overrides, counts))


def encoder(request: PresetRequest) -> ModelBundle:
    """Build an encoder from all layers of a backbone."""
    return _encoder(with_emoji(find_backbone(request.backbone)), request)


def student(request: PresetRequest) -> ModelBundle:
    """Build a small encoder from some of a backbone's layers; a trained teacher's folder is a backbone too.

    From MiniLM it has a quarter of the parameters: three layers, half the feed-forward neurons, narrow word
    embeddings, and only the pieces that are used most.
    """
    backbone = with_emoji(find_backbone(request.backbone))
    return _encoder(backbone, replace(request, overrides={**_student_shape(backbone), **request.overrides}))


def distilbert(request: PresetRequest) -> ModelBundle:
    """Build an encoder from DistilBERT, or from another backbone if one is named."""
    return encoder(replace(request, backbone=request.backbone or _DISTILBERT))


def hub(request: PresetRequest) -> ModelBundle:
    """Build from any encoder of the transformers library: BERT-like ones become our encoder, others are wrapped."""
    if request.backbone is None:
        raise InvalidInput("Preset hub needs --backbone: a folder, or owner/name on the Hugging Face hub.", "backbone")
    folder = fetch(request.backbone)
    origin = read_config(folder)
    if is_bert_like(origin) or "architecture" in origin:
        return encoder(replace(request, backbone=str(folder)))
    return wrap(folder, request.labels, request.overrides)


def lstm(request: PresetRequest) -> ModelBundle:
    """Build an LSTM on the word embeddings of a backbone or a GloVe file, reduced to `embedding` dimensions."""
    return _of_words("lstm", LstmConfig, LstmClassifier, request)


def cnn(request: PresetRequest) -> ModelBundle:
    """Build a CNN on the word embeddings of a backbone or a GloVe file, reduced to `embedding` dimensions."""
    return _of_words("cnn", CnnConfig, CnnClassifier, request)


def bert_gru(request: PresetRequest) -> ModelBundle:
    """Put new GRU layers on a frozen backbone; the override `positions` is the backbone's longest window in tokens."""
    backbone = with_emoji(find_backbone(request.backbone))
    positions = {name: value for name, value in request.overrides.items() if name == "positions"}
    encoder_bundle = _encoder(backbone, replace(request, overrides=positions))
    _refuse_fixed(request.overrides, {"encoder", "labels"}, backbone)
    gru_overrides = {name: value for name, value in request.overrides.items() if name not in positions}
    config = overridden(BertGruConfig(encoder_bundle.config, request.labels), gru_overrides)
    model = BertGruClassifier(config)
    body = model.encoder.state_dict()
    model.encoder.load_state_dict(
        {name: tensor for name, tensor in encoder_bundle.model.state_dict().items() if name in body}
    )
    return ModelBundle(model, config, encoder_bundle.tokenizer, "bert-gru")


def _of_words(
    architecture: str, shape: Callable[..., ConfigT], network: Callable[[ConfigT], nn.Module], request: PresetRequest
) -> ModelBundle:
    backbone = with_emoji(_words_of(request.backbone))
    _refuse_fixed(request.overrides, {"vocabulary", "labels"}, backbone)
    config = overridden(shape(backbone.config.vocabulary, request.labels), request.overrides)
    model = network(config)
    words = model.get_parameter("words.weight")
    with torch.no_grad():
        words.copy_(_scaled_words(backbone, words.shape[1]))
    return ModelBundle(model, config, backbone.tokenizer, architecture)


def _words_of(backbone: str | None) -> Backbone:
    """Return the backbone; for a GloVe file the packaged one, its word embeddings replaced by the file's vectors."""
    if backbone is None or not Path(backbone).is_file():
        return find_backbone(backbone)
    packaged = find_backbone(None)
    words = read_vectors(Path(backbone), packaged.tokenizer.get_vocab())
    return replace(packaged, name=backbone, state={**packaged.state, "words.weight": words})


def _scaled_words(backbone: Backbone, width: int) -> Tensor:
    words = backbone.state["words.weight"]
    if width > words.shape[1]:
        raise InvalidInput(
            f"embedding is {width}, but the word embeddings of {backbone.name} have {words.shape[1]} dimensions: "
            "give that many or fewer",
            "embedding",
        )
    narrow = words if width == words.shape[1] else narrowed(words, width)[0]
    return narrow * (_WORDS_DEVIATION / narrow.std())


def _student_shape(backbone: Backbone) -> dict[str, object]:
    shape: dict[str, object] = {
        "layers": min(_STUDENT_LAYERS, backbone.config.layers),
        "feed_forward": min(_STUDENT_WIDENING * backbone.config.hidden, backbone.config.feed_forward),
    }
    if is_uncased_wordpiece(backbone.tokenizer):
        shape["vocabulary"] = min(_STUDENT_VOCABULARY, backbone.config.vocabulary)
    if not backbone.config.embedding and backbone.config.hidden > _STUDENT_EMBEDDING:
        shape["embedding"] = _STUDENT_EMBEDDING
    return shape


def _encoder(backbone: Backbone, request: PresetRequest) -> ModelBundle:
    overrides = request.overrides
    _refuse_fixed(overrides, _FIXED, backbone)
    if isinstance(pieces := overrides.get("vocabulary"), int) and pieces != backbone.config.vocabulary:
        backbone = with_vocabulary(backbone, pieces, request.counts)
        overrides = {**overrides, "vocabulary": backbone.config.vocabulary}
    base_config = replace(
        backbone.config, labels=request.labels, positions=min(backbone.config.positions, _WINDOW_TOKENS)
    )
    config = overridden(base_config, overrides)
    _require_positions(config.positions, backbone)
    shaped = with_feed_forward(with_layers(backbone, config.layers), config.feed_forward)
    state = {**shaped.state, "positions.weight": shaped.state["positions.weight"][: config.positions]}
    if config.embedding != backbone.config.embedding:
        state.update(_narrow_words(state, config.embedding))
    model = EncoderClassifier(config)
    load_body(model, state)
    return ModelBundle(model, config, shaped.tokenizer, "encoder")


def _refuse_fixed(overrides: Mapping[str, object], fixed: AbstractSet[str], backbone: Backbone) -> None:
    for name in sorted(overrides.keys() & fixed):
        raise InvalidInput(
            f"{name} cannot be set: the data or the backbone {backbone.name} determine it; leave it out", name
        )


def _require_positions(positions: int, backbone: Backbone) -> None:
    if not 1 <= positions <= backbone.config.positions:
        raise InvalidInput(
            f"positions is {positions}, but {backbone.name} reads windows of 1 to {backbone.config.positions} tokens",
            "positions",
        )


def _narrow_words(state: Mapping[str, Tensor], width: int) -> dict[str, Tensor]:
    words, widen = narrowed(state["words.weight"], width)
    return {"words.weight": words, "widen_words.weight": widen}


PRESETS: Final[Mapping[str, Callable[[PresetRequest], ModelBundle]]] = MappingProxyType(
    {
        "lstm": lstm,
        "cnn": cnn,
        "bert-gru": bert_gru,
        "minilm": encoder,
        "distilbert": distilbert,
        "hub": hub,
        "student": student,
    }
)
