"""The presets: ready choices of architecture, shape and start, built from a pretrained backbone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from torch import Tensor

from sentiment.errors import InvalidInput
from sentiment.models.backbone import Backbone, find_backbone, narrowed, with_emoji, with_layers
from sentiment.models.encoder import EncoderClassifier, load_body
from sentiment.models.start import Start, overridden

_NO_CHANGES: Final[Mapping[str, object]] = MappingProxyType({})
_WINDOW_TOKENS: Final = 256
_STUDENT_LAYERS: Final = 3
#: What a model that starts from a backbone's layers cannot choose.
_GIVEN: Final = frozenset({"vocabulary", "labels", "hidden", "heads", "feed_forward", "layer_norm_eps"})


def build(
    preset: str, labels: int, *, backbone: str | None = None, overrides: Mapping[str, object] = _NO_CHANGES
) -> Start:
    """Build an untrained classifier of `labels` labels by a preset's name.

    `backbone` is a local folder or a Hugging Face name (`name@revision` too); None takes the preset's own. `overrides`
    changes fields of the config: `{"dropout": 0.2}`. What is new, such as the head, is drawn from torch's generator.

    Raises:
        InvalidInput: there is no such preset or field, or the backbone cannot give it.
        ModelRejected: the backbone's files are missing, broken, or of another kind.
    """
    if preset not in PRESETS:
        raise InvalidInput(f"There is no preset {preset!r}; there are {', '.join(PRESETS)}", "model")
    return PRESETS[preset](backbone, labels, overrides)


def encoder(backbone: str | None, labels: int, overrides: Mapping[str, object]) -> Start:
    """Start an encoder from all of a backbone's layers."""
    return _encoder(with_emoji(find_backbone(backbone)), labels, overrides)


def student(backbone: str | None, labels: int, overrides: Mapping[str, object]) -> Start:
    """Start a small encoder from every other layer of a backbone; a trained teacher's folder is one too."""
    return _encoder(with_emoji(find_backbone(backbone)), labels, {"layers": _STUDENT_LAYERS, **overrides})


def _encoder(backbone: Backbone, labels: int, overrides: Mapping[str, object]) -> Start:
    given = replace(backbone.config, labels=labels, positions=min(backbone.config.positions, _WINDOW_TOKENS))
    for name in sorted(overrides.keys() & _GIVEN):
        raise InvalidInput(f"{name} comes from the backbone, {backbone.name} has {getattr(given, name)}", name)
    config = overridden(given, overrides)
    _require_positions(config.positions, backbone)
    kept = with_layers(backbone, config.layers)
    state = {**kept.state, "positions.weight": kept.state["positions.weight"][: config.positions]}
    if config.embedding != backbone.config.embedding:
        state.update(_narrow_words(state, config.embedding))
    model = EncoderClassifier(config)
    load_body(model, state)
    return Start(model, config, kept.tokenizer, "encoder")


def _require_positions(positions: int, backbone: Backbone) -> None:
    if not 1 <= positions <= backbone.config.positions:
        raise InvalidInput(
            f"positions = {positions}; {backbone.name} reads windows of at most {backbone.config.positions} tokens",
            "positions",
        )


def _narrow_words(state: Mapping[str, Tensor], width: int) -> dict[str, Tensor]:
    words, widen = narrowed(state["words.weight"], width)
    return {"words.weight": words, "widen_words.weight": widen}


PRESETS: Final[Mapping[str, Callable[[str | None, int, Mapping[str, object]], Start]]] = MappingProxyType(
    {
        "minilm": encoder,
        "student": student,
    }
)
