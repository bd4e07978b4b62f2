"""The presets: ready choices of architecture, shape and start, built from a pretrained backbone."""

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
from sentiment.models.bundle import ConfigT, Start, overridden
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
#: What a model that starts from a backbone's layers cannot choose.
_GIVEN: Final = frozenset({"labels", "hidden", "heads", "layer_norm_eps"})


@dataclass(frozen=True)
class Wanted:
    """What a classifier is built of. `overrides` changes fields of its config: `{"dropout": 0.2}`.

    `backbone` is a local folder or a Hugging Face name (`name@revision` too); None takes the preset's own. `counts`
    tells how often the texts to come use the pieces of a tokenizer: a smaller vocabulary keeps what they use most.
    """

    labels: int
    backbone: str | None
    overrides: Mapping[str, object]
    counts: CountPieces | None


def build(
    preset: str,
    labels: int,
    *,
    backbone: str | None = None,
    overrides: Mapping[str, object] = _NO_CHANGES,
    counts: CountPieces | None = None,
) -> Start:
    """Build an untrained classifier of `labels` labels by a preset's name; the rest is as in `Wanted`.

    What is new, such as the head, is drawn from torch's generator.

    Raises:
        InvalidInput: there is no such preset or field, or the backbone cannot give it.
        ModelRejected: the backbone's files are missing, broken, or of another kind.
    """
    if preset not in PRESETS:
        raise InvalidInput(f"There is no preset {preset!r}; there are {', '.join(PRESETS)}", "model")
    return PRESETS[preset](Wanted(labels, backbone, overrides, counts))


def encoder(wanted: Wanted) -> Start:
    """Start an encoder from all of a backbone's layers."""
    return _encoder(with_emoji(find_backbone(wanted.backbone)), wanted)


def student(wanted: Wanted) -> Start:
    """Start a small encoder from some of a backbone's layers; a trained teacher's folder is a backbone too.

    A quarter of MiniLM's size: three layers with half the neurons, the pieces that are used most, narrow words.
    """
    found = with_emoji(find_backbone(wanted.backbone))
    return _encoder(found, replace(wanted, overrides={**_student_shape(found), **wanted.overrides}))


def distilbert(wanted: Wanted) -> Start:
    """Start an encoder from DistilBERT, or what stands for it."""
    return encoder(replace(wanted, backbone=wanted.backbone or _DISTILBERT))


def hub(wanted: Wanted) -> Start:
    """Start from any encoder that transformers knows: BERT's kin become our encoder, others are wrapped."""
    if wanted.backbone is None:
        raise InvalidInput("Preset hub needs a backbone: a folder, or owner/name on the hub", "backbone")
    folder = fetch(wanted.backbone)
    origin = read_config(folder)
    if is_bert_like(origin) or "architecture" in origin:
        return encoder(replace(wanted, backbone=str(folder)))
    return wrap(folder, wanted.labels, wanted.overrides)


def lstm(wanted: Wanted) -> Start:
    """Start an LSTM from a backbone's word embeddings, made as narrow as `embedding` says, or a GloVe file's."""
    return _of_words("lstm", LstmConfig, LstmClassifier, wanted)


def cnn(wanted: Wanted) -> Start:
    """Start a convolutional network from a backbone's word embeddings, as narrow as `embedding`, or a GloVe file's."""
    return _of_words("cnn", CnnConfig, CnnClassifier, wanted)


def bert_gru(wanted: Wanted) -> Start:
    """Put new GRU layers on a frozen backbone; `positions` among the overrides is the backbone's longest window."""
    found = with_emoji(find_backbone(wanted.backbone))
    given = {name: value for name, value in wanted.overrides.items() if name == "positions"}
    below = _encoder(found, replace(wanted, overrides=given))
    _refuse_given(wanted.overrides, {"encoder", "labels"}, found)
    own = {name: value for name, value in wanted.overrides.items() if name not in given}
    config = overridden(BertGruConfig(below.config, wanted.labels), own)
    model = BertGruClassifier(config)
    body = model.encoder.state_dict()
    model.encoder.load_state_dict({name: tensor for name, tensor in below.model.state_dict().items() if name in body})
    return Start(model, config, below.tokenizer, "bert-gru")


def _of_words(
    architecture: str, shape: Callable[..., ConfigT], network: Callable[[ConfigT], nn.Module], wanted: Wanted
) -> Start:
    found = with_emoji(_words_of(wanted.backbone))
    _refuse_given(wanted.overrides, {"vocabulary", "labels"}, found)
    config = overridden(shape(found.config.vocabulary, wanted.labels), wanted.overrides)
    model = network(config)
    words = model.get_parameter("words.weight")
    with torch.no_grad():
        words.copy_(_scaled_words(found, words.shape[1]))
    return Start(model, config, found.tokenizer, architecture)


def _words_of(backbone: str | None) -> Backbone:
    """Return the backbone, or the packaged one with the vectors of a GloVe file in the place of its words."""
    if backbone is None or not Path(backbone).is_file():
        return find_backbone(backbone)
    packaged = find_backbone(None)
    words = read_vectors(Path(backbone), packaged.tokenizer.get_vocab())
    return replace(packaged, name=backbone, state={**packaged.state, "words.weight": words})


def _scaled_words(backbone: Backbone, width: int) -> Tensor:
    words = backbone.state["words.weight"]
    if width > words.shape[1]:
        raise InvalidInput(f"embedding = {width}; the words of {backbone.name} have {words.shape[1]}", "embedding")
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


def _encoder(backbone: Backbone, wanted: Wanted) -> Start:
    overrides = wanted.overrides
    _refuse_given(overrides, _GIVEN, backbone)
    if isinstance(pieces := overrides.get("vocabulary"), int) and pieces != backbone.config.vocabulary:
        backbone = with_vocabulary(backbone, pieces, wanted.counts)
        overrides = {**overrides, "vocabulary": backbone.config.vocabulary}
    given = replace(backbone.config, labels=wanted.labels, positions=min(backbone.config.positions, _WINDOW_TOKENS))
    config = overridden(given, overrides)
    _require_positions(config.positions, backbone)
    kept = with_feed_forward(with_layers(backbone, config.layers), config.feed_forward)
    state = {**kept.state, "positions.weight": kept.state["positions.weight"][: config.positions]}
    if config.embedding != backbone.config.embedding:
        state.update(_narrow_words(state, config.embedding))
    model = EncoderClassifier(config)
    load_body(model, state)
    return Start(model, config, kept.tokenizer, "encoder")


def _refuse_given(overrides: Mapping[str, object], given: AbstractSet[str], backbone: Backbone) -> None:
    for name in sorted(overrides.keys() & given):
        raise InvalidInput(f"{name} cannot be chosen: it comes from the data or the backbone {backbone.name}", name)


def _require_positions(positions: int, backbone: Backbone) -> None:
    if not 1 <= positions <= backbone.config.positions:
        raise InvalidInput(
            f"positions = {positions}; {backbone.name} reads windows of at most {backbone.config.positions} tokens",
            "positions",
        )


def _narrow_words(state: Mapping[str, Tensor], width: int) -> dict[str, Tensor]:
    words, widen = narrowed(state["words.weight"], width)
    return {"words.weight": words, "widen_words.weight": widen}


PRESETS: Final[Mapping[str, Callable[[Wanted], Start]]] = MappingProxyType(
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
