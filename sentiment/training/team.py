"""The workers of a data-parallel run: their ranks, and the exchange of values between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True)
class Team:
    """This worker's `rank` among `size` workers; who starts several workers also sets up torch's process group."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    def share(self, model: nn.Module) -> nn.Module:
        """Return the model wrapped so that a backward pass averages gradients over the workers."""
        if self.size == 1:
            return model
        devices = [torch.device(self.device)] if self.device.startswith("cuda") else None
        return nn.parallel.DistributedDataParallel(model, device_ids=devices)

    def total(self, values: Sequence[float]) -> list[float]:
        """Return the sums over all workers, the same on each."""
        sums: Tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        if self.size > 1:
            distributed.all_reduce(sums)
        return list(sums.tolist())

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all workers in the order of their ranks, the same on each."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values


ALONE: Final = Team()
