"""Learning rate schedules by name: a warm-up to the peak, then the way down."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

_LEAST_EXPONENTIAL: Final = 0.01


def _linear(done: float, last: float) -> float:
    return last + (1.0 - last) * (1.0 - done)


def _cosine(done: float, last: float) -> float:
    return last + (1.0 - last) * 0.5 * (1.0 + math.cos(math.pi * done))


def _exponential(done: float, last: float) -> float:
    return float(max(last, _LEAST_EXPONENTIAL) ** done)  # it never reaches nothing: a hundredth of the peak at least


def _constant(done: float, last: float) -> float:  # noqa: ARG001 - all of them take the same
    return 1.0


_DECAYS: Final[Mapping[str, Callable[[float, float], float]]] = MappingProxyType(
    {"linear": _linear, "cosine": _cosine, "exponential": _exponential, "constant": _constant}
)


def learning_rate_factor(progress: float, warm_up: float, last_rate: float = 0.0, schedule: str = "linear") -> float:
    """Return the learning rate's factor at `progress` in [0, 1] of a run.

    It rises from 0 to 1 at `warm_up`, then goes down to `last_rate` by the named schedule: `linear`, `cosine`,
    `exponential` (to a hundredth where `last_rate` is less), or stays (`constant`).
    """
    if progress < warm_up:
        return progress / warm_up
    done = min(1.0, (progress - warm_up) / (1.0 - warm_up))
    return _DECAYS[schedule](done, last_rate)
