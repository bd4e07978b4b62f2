"""The lines about trials while a search runs, on the terminal or in a job's log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

_MOST_LINES: Final = 20


class TrialLines:
    """A listener that writes a line for each event of a trial; `trials` is their planned number."""

    def __init__(self, trials: int, say: Callable[[str], None]) -> None:
        self._trials, self._say, self._numbers = trials, say, dict[str, int]()

    def started(self, trial: str, point: Mapping[str, Any]) -> None:
        """Write the point of a trial."""
        self._numbers.setdefault(trial, len(self._numbers) + 1)
        self._tell(trial, in_short(point))

    def validated(self, trial: str, figures: Mapping[str, float], validation: int) -> None:
        """Write the score of a validation."""
        self._tell(trial, f"validation {validation}: score {figures['score']:.4f}")

    def ended(self, trial: str, failed: bool) -> None:
        """Write that a trial has ended."""
        self._tell(trial, "failed" if failed else "ended")

    def waiting(self, text: str) -> None:
        """Write which resources trials wait for."""
        self._say(text)

    def _tell(self, trial: str, text: str) -> None:
        self._say(f"trial {self._numbers[trial]} of {self._trials}: {text}")


class WaitingLines:
    """A listener that writes lines about waiting trials only."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def started(self, trial: str, point: Mapping[str, Any]) -> None:
        """Write nothing."""

    def validated(self, trial: str, figures: Mapping[str, float], validation: int) -> None:
        """Write nothing."""

    def ended(self, trial: str, failed: bool) -> None:
        """Write nothing."""

    def waiting(self, text: str) -> None:
        """Write which resources trials wait for."""
        self._say(text)


def interrupted_lines(name: str, outcome: Mapping[str, Any] | None) -> list[str]:
    """Return the lines about a search that a signal ended: the trials without a result, and how to resume it."""
    hint = f"the same command with --name {name} resumes it"
    if outcome is None:
        return [f"Search {name} was interrupted; {hint}."]
    cut_off = [trial for trial in outcome["trials"] if trial["state"] == "unfinished"]
    ended = len(outcome["trials"]) - len(cut_off)
    planned = len(outcome["trials"]) + len(outcome["not_begun"])
    lines = [f"Search {name} was interrupted when {ended} of {planned} trials had ended; {hint}. Without a result:"]
    lines += [f"  {in_short(trial['point'])}: cut off after {trial['validations']} validations" for trial in cut_off]
    lines += [f"  {in_short(point)}: not begun" for point in outcome["not_begun"][:_MOST_LINES] if point]
    if more := len(outcome["not_begun"]) - sum(line.endswith("not begun") for line in lines):
        lines.append(f"  {more} {'more' if len(lines) > 1 else 'trials'}: not begun")
    return lines


def in_short(point: Mapping[str, Any]) -> str:
    """Return a point in the form of a line."""
    return ", ".join(f"{field} {short(value)}" for field, value in point.items())


def short(value: Any) -> str:
    """Return a value in the form of a line or a table."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
