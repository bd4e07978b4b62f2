"""The GPU engine: torch in bfloat16, from the version's safetensors. Only GPU replicas and tests import this."""

from __future__ import annotations

import numpy as np
import torch

from sentiment.errors import ModelRejected
from sentiment.models.zoo import load_model
from sentiment.predictor.batches import Logits, Padded
from sentiment.version import Version


class TorchEngine:
    """A model of the zoo on `device`: bfloat16 on a GPU, float32 on a CPU."""

    batch_tokens = 16_384
    pass_tokens = 16_384  # as few passes as there is room for

    def __init__(self, version: Version, device: str) -> None:
        self._device = _device(device)
        dtype = torch.bfloat16 if self._device.type == "cuda" else torch.float32
        self._model = load_model(version.folder).model.to(self._device, dtype).eval()

    def forward(self, batch: Padded) -> Logits:
        """Return logits float32 [batch, labels]."""
        with torch.inference_mode():
            ids, mask = (torch.from_numpy(part).to(self._device) for part in batch)
            return np.asarray(self._model(ids, mask).float().cpu())


def _device(name: str) -> torch.device:
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ModelRejected(
            f"device {name} does not exist: torch {torch.__version__} sees no GPU. Install the `gpu` extra on a "
            "machine with a GPU, or run the int8 engine on CPUs with classifier_gpus = 0"
        )
    return device
