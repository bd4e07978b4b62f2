"""Learning rate schedules by name: a warm-up to the peak, then a decay."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

_LEAST_EXPONENTIAL: Final = 0.01


def _linear(progress: float, last: float) -> float:
    return last + (1.0 - last) * (1.0 - progress)


def _cosine(progress: float, last: float) -> float:
    return last + (1.0 - last) * 0.5 * (1.0 + math.cos(math.pi * progress))


def _exponential(progress: float, last: float) -> float:
    return float(
        max(last, _LEAST_EXPONENTIAL) ** progress
    )  # a power of 0 would be 0 at once: the last factor is 0.01 at least


def _constant(progress: float, last: float) -> float:  # noqa: ARG001 - all of them take the same
    return 1.0


_DECAYS: Final[Mapping[str, Callable[[float, float], float]]] = MappingProxyType(
    {"linear": _linear, "cosine": _cosine, "exponential": _exponential, "constant": _constant}
)


def learning_rate_factor(progress: float, warm_up: float, last_rate: float = 0.0, schedule: str = "linear") -> float:
    """Return the factor of the peak learning rate at `progress`, in [0, 1], of a run.

    It rises from 0 to 1 until `warm_up`, then falls to `last_rate` by the named schedule: `linear`, `cosine`,
    `exponential` (to 0.01 if `last_rate` is less), or stays at 1 (`constant`).
    """
    if progress < warm_up:
        return progress / warm_up
    decay_progress = min(1.0, (progress - warm_up) / (1.0 - warm_up))
    return _DECAYS[schedule](decay_progress, last_rate)
