"""A vocabulary cut to what given texts use, before training, so that the model learns to do without the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from sentiment.errors import InvalidInput
from sentiment.models.architectures.bert_gru import BertGruConfig
from sentiment.models.architectures.encoder import EncoderClassifier, load_body
from sentiment.models.bundle import ModelBundle
from sentiment.models.huggingface.backbone import open_backbone, spelt_name, with_pieces
from sentiment.models.vocabulary import (
    build_tokenizer,
    count_pieces,
    is_uncased_wordpiece,
    select_emoji,
    select_pieces,
)
from sentiment.models.zoo import ARCHITECTURES


def start_from(
    backbone: Path, corpora: Sequence[Sequence[str]], tweets: Sequence[str], pieces: int, seed: int
) -> ModelBundle:
    """Build the classifier to train from a BERT checkpoint's folder (`model.safetensors`, `tokenizer.json`).

    The vocabulary is cut to `pieces` by what `corpora` use; emoji are added, those of `tweets` too, each starting as
    the mean of the pieces of its name.
    """
    found = open_backbone(backbone)
    ids = found.tokenizer.get_vocab()
    emoji = [character for character in select_emoji(tweets) if character not in ids]
    counts = [count_pieces(found.tokenizer, texts) for texts in corpora]
    kept = select_pieces(ids, counts, pieces - len(emoji))
    rows = [[ids[piece]] for piece in kept] + [spelt_name(found.tokenizer, character) for character in emoji]
    cut = with_pieces(found, [*kept, *emoji], rows)
    config = replace(cut.config, positions=min(cut.config.positions, 256))
    torch.manual_seed(seed)
    model = EncoderClassifier(config)
    load_body(model, {**cut.state, "positions.weight": cut.state["positions.weight"][: config.positions]})
    return ModelBundle(model, config, cut.tokenizer, "encoder")


def cut_vocabulary(start: ModelBundle, corpora: Sequence[Sequence[str]], pieces: int) -> ModelBundle:
    """Return a model with the `pieces` of its vocabulary that `corpora` use most; emoji and letters always stay.

    Each corpus has the same say. All other weights are copied from `start`'s model.

    Raises:
        InvalidInput: the tokenizer is not BERT's uncased one, so that it cannot be rebuilt.
    """
    if start.architecture == "hub" or not is_uncased_wordpiece(start.tokenizer):
        raise InvalidInput(
            f"The vocabulary of this {start.architecture} model cannot be cut: its tokenizer is not BERT's uncased one",
            "pieces",
        )
    ids = start.tokenizer.get_vocab()
    kept = select_pieces(ids, [count_pieces(start.tokenizer, texts) for texts in corpora], pieces)
    rows = torch.tensor([ids[piece] for piece in kept])
    config = _with_vocabulary(start.config, len(kept))
    model = ARCHITECTURES[start.architecture].model(config)
    words = "encoder.words.weight" if start.architecture == "bert-gru" else "words.weight"
    state = start.model.state_dict()
    model.load_state_dict({**state, words: state[words][rows]})
    return ModelBundle(model, config, build_tokenizer(kept), start.architecture, start.steps)


def _with_vocabulary(config: Any, vocabulary: int) -> Any:
    if isinstance(config, BertGruConfig):
        return replace(config, encoder=replace(config.encoder, vocabulary=vocabulary))
    return replace(config, vocabulary=vocabulary)
