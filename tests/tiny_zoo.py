"""Every model of the zoo, a few units wide, on a tiny backbone."""

from __future__ import annotations

from pathlib import Path

import torch

from sentiment.models.zoo import ModelBundle, build

SMALL = {
    "lstm": {"embedding": 12, "hidden": 8},
    "cnn": {"embedding": 12, "filters": 6},
    "bert-gru": {"hidden": 8, "positions": 32},
    "minilm": {},
    "distilbert": {},
    "student": {"layers": 2},
}


def make(preset: str, backbone: Path, labels: int = 3, **overrides: object) -> ModelBundle:
    """Return an untrained model, the same one for the same arguments."""
    torch.manual_seed(3)
    start = build(preset, labels, backbone=str(backbone), overrides={**SMALL[preset], **overrides})
    start.model.eval()
    return start
