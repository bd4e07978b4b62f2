"""What a search tells of its trials while it runs, a line each: on the terminal, or in a job's log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class TrialLines:
    """Hears of trials, and says so line by line; `trials` is how many there will be."""

    def __init__(self, trials: int, say: Callable[[str], None]) -> None:
        self._trials, self._say, self._numbers = trials, say, dict[str, int]()

    def started(self, trial: str, point: Mapping[str, Any]) -> None:
        """Say what a trial tries."""
        self._numbers.setdefault(trial, len(self._numbers) + 1)
        self._tell(trial, ", ".join(f"{field} {short(value)}" for field, value in point.items()))

    def validated(self, trial: str, figures: Mapping[str, float], validation: int) -> None:
        """Say how good it is so far."""
        self._tell(trial, f"validation {validation}: score {figures['score']:.4f}")

    def ended(self, trial: str, failed: bool) -> None:
        """Say that it is over."""
        self._tell(trial, "failed" if failed else "ended")

    def _tell(self, trial: str, text: str) -> None:
        self._say(f"trial {self._numbers[trial]} of {self._trials}: {text}")


def short(value: Any) -> str:
    """Return a value as a line or a table shows it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
