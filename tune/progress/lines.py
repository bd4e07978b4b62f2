"""What a search tells of its trials while it runs, a line each: on the terminal, or in a job's log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

_MOST_LINES: Final = 20


class TrialLines:
    """Hears of trials, and says so line by line; `trials` is how many there will be."""

    def __init__(self, trials: int, say: Callable[[str], None]) -> None:
        self._trials, self._say, self._numbers = trials, say, dict[str, int]()

    def started(self, trial: str, point: Mapping[str, Any]) -> None:
        """Say what a trial tries."""
        self._numbers.setdefault(trial, len(self._numbers) + 1)
        self._tell(trial, in_short(point))

    def validated(self, trial: str, figures: Mapping[str, float], validation: int) -> None:
        """Say how good it is so far."""
        self._tell(trial, f"validation {validation}: score {figures['score']:.4f}")

    def ended(self, trial: str, failed: bool) -> None:
        """Say that it is over."""
        self._tell(trial, "failed" if failed else "ended")

    def waiting(self, text: str) -> None:
        """Say that trials wait for room, and for which."""
        self._say(text)

    def _tell(self, trial: str, text: str) -> None:
        self._say(f"trial {self._numbers[trial]} of {self._trials}: {text}")


class WaitingLines:
    """Says of trials only that some wait for room, where all else is for the outcome."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def started(self, trial: str, point: Mapping[str, Any]) -> None:
        """Say nothing."""

    def validated(self, trial: str, figures: Mapping[str, float], validation: int) -> None:
        """Say nothing."""

    def ended(self, trial: str, failed: bool) -> None:
        """Say nothing."""

    def waiting(self, text: str) -> None:
        """Say that trials wait for room, and for which."""
        self._say(text)


def interrupted_lines(name: str, outcome: Mapping[str, Any] | None) -> list[str]:
    """Return what to say of a search that was ended by a signal: which trials have no result, and how it goes on."""
    hint = f"the same command with --name {name} goes on"
    if outcome is None:
        return [f"Search {name} was interrupted; {hint} with what is kept of it."]
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
    """Return a point as a line shows it."""
    return ", ".join(f"{field} {short(value)}" for field, value in point.items())


def short(value: Any) -> str:
    """Return a value as a line or a table shows it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
