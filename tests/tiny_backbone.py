"""Pretrained encoders of a few kilobytes, random, made on the spot: ours, and those that transformers writes."""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from sentiment.models.architectures.encoder import EncoderClassifier, EncoderConfig
from sentiment.models.bundle import ModelBundle
from sentiment.models.vocabulary import SPECIAL_PIECES, build_tokenizer
from sentiment.models.zoo import save_model

LABELS: Final = {0: "positive", 1: "neutral", 2: "negative"}
PIECES: Final = (
    *SPECIAL_PIECES,
    *string.ascii_lowercase,
    *(f"##{letter}" for letter in string.ascii_lowercase),
    *("good", "bad", "film", "love", "heart", "face"),
)
_SHAPE: Final = {
    "vocab_size": len(PIECES),
    "hidden_size": 24,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 66,
    "pad_token_id": 0,
}
_DISTILBERT_SHAPE: Final = {
    "vocab_size": len(PIECES),
    "dim": 24,
    "n_layers": 4,
    "n_heads": 4,
    "hidden_dim": 48,
    "max_position_embeddings": 66,
}
_ELECTRA_SHAPE: Final = {**_SHAPE, "embedding_size": 16}


def tiny_tokenizer() -> Tokenizer:
    """Return a tokenizer of letters and six words."""
    return build_tokenizer(PIECES)


def own_backbone(folder: Path) -> Path:
    """Write an encoder in our own form into `folder` and return it."""
    torch.manual_seed(7)
    config = EncoderConfig(len(PIECES), hidden=24, layers=4, heads=4, feed_forward=48, positions=64)
    save_model(ModelBundle(EncoderClassifier(config), config, tiny_tokenizer(), "encoder"), folder)
    return folder


def hub_classifier(kind: str, folder: Path, **fields: Any) -> Any:
    """Write a fine-tuned classifier as Hugging Face has it into `folder`; return the network, in evaluation mode."""
    torch.manual_seed(11)
    shapes: Mapping[str, Mapping[str, Any]] = {"distilbert": _DISTILBERT_SHAPE, "electra": _ELECTRA_SHAPE}
    shape = {**shapes.get(kind, _SHAPE), "id2label": LABELS, "num_labels": len(LABELS), **fields}
    config = transformers.AutoConfig.for_model(kind, **shape)
    network = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    transformers.logging.disable_progress_bar()
    network.save_pretrained(folder)
    tiny_tokenizer().save(str(folder / "tokenizer.json"))
    return network


def configure(folder: Path, **fields: Any) -> None:
    """Change fields of a folder's config.json; `...` takes one out."""
    config = json.loads((folder / "config.json").read_text())
    kept = {name: value for name, value in {**config, **fields}.items() if value is not ...}
    (folder / "config.json").write_text(json.dumps(kept))


def rewrite_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    """Write a folder's tensors anew, changed."""
    changed = change(load_file(folder / "model.safetensors"))
    save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})
