"""The policy of restarts: when a part of the local platform is started, left alone, started again, or given up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: The exit status of a part that cannot do what its settings ask for: trying again would not help (EX_CONFIG).
REFUSED: Final = 78


class Action(StrEnum):
    """What the supervisor does about a part now."""

    KEEP = "keep"
    START = "start"
    RESTART = "restart"
    GIVE_UP = "give up"


@dataclass(frozen=True)
class Patience:
    """How long a part may take to come up, and to answer again. `start_attempts` counts until it was ready once."""

    start_s: float = 300.0
    unready_s: float = 90.0
    start_attempts: int = 3
    longest_pause_s: float = 30.0


@dataclass(frozen=True)
class ProcessObservation:
    """A part as it is seen. `since_s` counts from its last start or end, `unready_s` from its last answer."""

    alive: bool
    done: bool
    answered: bool  # since its last start
    ever_ready: bool
    failures: int
    since_s: float
    unready_s: float


def decide(part: ProcessObservation, patience: Patience) -> Action:
    """Return what to do about a part now."""
    if part.done:
        return Action.KEEP
    if part.alive:
        allowed_s = patience.unready_s if part.answered else patience.start_s
        return Action.RESTART if part.unready_s > allowed_s else Action.KEEP
    if not part.ever_ready and part.failures >= patience.start_attempts:
        return Action.GIVE_UP
    return Action.START if part.since_s >= pause_s(part.failures, patience) else Action.KEEP


def pause_s(failures: int, patience: Patience) -> float:
    """Return how long to wait before the next start: nothing, then 1, 2, 4 … seconds."""
    return min(2.0 ** min(failures - 1, 16), patience.longest_pause_s) if failures else 0.0
