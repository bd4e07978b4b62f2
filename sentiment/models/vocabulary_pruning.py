"""A vocabulary cut to what given texts use, before training, so that the model learns to do without the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from sentiment.models.architectures.encoder import EncoderClassifier, load_body
from sentiment.models.bundle import ModelBundle
from sentiment.models.huggingface.backbone import open_backbone, spelt_name, with_pieces
from sentiment.models.vocabulary import count_pieces, select_emoji, select_pieces


def start_from(
    backbone: Path, corpora: Sequence[Sequence[str]], tweets: Sequence[str], pieces: int, seed: int
) -> ModelBundle:
    """Build the classifier to train from a BERT checkpoint's folder (`model.safetensors`, `tokenizer.json`).

    The vocabulary is cut to the `pieces` that `corpora` use most, with common emoji and those of `tweets` among them;
    the embedding of an emoji is the mean of the pieces of its name.
    """
    base = open_backbone(backbone)
    ids = base.tokenizer.get_vocab()
    emoji = [character for character in select_emoji(tweets) if character not in ids]
    counts = [count_pieces(base.tokenizer, texts) for texts in corpora]
    selected = select_pieces(ids, counts, pieces - len(emoji))
    rows = [[ids[piece]] for piece in selected] + [spelt_name(base.tokenizer, character) for character in emoji]
    cut = with_pieces(base, [*selected, *emoji], rows)
    config = replace(cut.config, positions=min(cut.config.positions, 256))
    torch.manual_seed(seed)
    model = EncoderClassifier(config)
    load_body(model, {**cut.state, "positions.weight": cut.state["positions.weight"][: config.positions]})
    return ModelBundle(model, config, cut.tokenizer, "encoder")
