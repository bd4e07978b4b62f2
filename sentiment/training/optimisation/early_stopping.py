"""Early stopping: a pure policy over the figures of the validations so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class EarlyStopping:
    """The state of the policy: the best figure, its step, and the validations since then."""

    monitor: str
    patience: int | None = None
    best: float | None = None
    best_step: int = 0
    without_better: int = 0

    @property
    def is_over(self) -> bool:
        """Whether training should stop."""
        return self.patience is not None and self.without_better >= self.patience

    def after(self, metrics: Mapping[str, float], step: int) -> EarlyStopping:
        """Return the policy's state after a validation at `step`."""
        score = score_of(metrics, self.monitor)
        if self.best is None or score > self.best:
            return replace(self, best=score, best_step=step, without_better=0)
        return replace(self, without_better=self.without_better + 1)


def score_of(metrics: Mapping[str, float], monitor: str) -> float:
    """Return the monitored figure as a score where higher is better: `loss` is negated."""
    value = metrics[f"validation_{monitor}"]
    return -value if monitor == "loss" else value
