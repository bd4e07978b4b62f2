"""The GPU engine: torch in bfloat16, from the version's safetensors. Only GPU replicas and tests import this."""

from __future__ import annotations

import json
from typing import Final

import numpy as np
import torch
from safetensors.torch import load_file

from sentiment.errors import ModelRejected
from sentiment.models.encoder import EncoderClassifier, EncoderConfig
from sentiment.predictor.batches import Logits, Padded
from sentiment.version import CONFIG, ENGINE_FILES, Version

_ARCHITECTURE: Final = "encoder"


class TorchEngine:
    """An encoder classifier on `device`: bfloat16 on a GPU, float32 on a CPU."""

    batch_tokens = 16_384

    def __init__(self, version: Version, device: str) -> None:
        self._device = _device(device)
        dtype = torch.bfloat16 if self._device.type == "cuda" else torch.float32
        self._model = _load(version).to(self._device, dtype).eval()

    def forward(self, batch: Padded) -> Logits:
        """Return logits float32 [batch, labels]."""
        with torch.inference_mode():
            ids, mask = (torch.from_numpy(part).to(self._device) for part in batch)
            return np.asarray(self._model(ids, mask).float().cpu())


def _device(name: str) -> torch.device:
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ModelRejected(
            f"device {name} is not there: torch {torch.__version__} sees no GPU. Install the `gpu` extra on a machine "
            "with a GPU, or run the int8 engine on CPUs with classifier_gpus = 0"
        )
    return device


def _load(version: Version) -> EncoderClassifier:
    config = json.loads(version.file(CONFIG).read_text())
    if config.pop("architecture", None) != _ARCHITECTURE:
        raise ModelRejected(f"{version.file(CONFIG)}: the only architecture that torch runs here is {_ARCHITECTURE!r}")
    try:
        model = EncoderClassifier(EncoderConfig(**config))
        model.load_state_dict(load_file(version.file(ENGINE_FILES["torch"])))
    except (TypeError, RuntimeError) as exc:
        raise ModelRejected(f"{version.folder}: {CONFIG} and the safetensors do not make a model: {exc}") from exc
    return model
