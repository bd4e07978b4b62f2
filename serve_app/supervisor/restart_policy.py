"""Decides when a part of the local platform is started, left alone, restarted, or given up. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: Exit status of a part whose settings cannot work, so that a restart would not help (EX_CONFIG of sysexits.h).
REFUSED: Final = 78


class Action(StrEnum):
    """What the supervisor does about a part now."""

    KEEP = "keep"
    START = "start"
    RESTART = "restart"
    GIVE_UP = "give up"


@dataclass(frozen=True)
class RestartPolicy:
    """The limits after which a part is restarted or given up."""

    start_s: float = 300.0
    """Most seconds until its first answer after a start."""
    unready_s: float = 90.0
    """Most seconds without an answer after that."""
    start_attempts: int = 3
    """Most failed starts of a part that was never ready."""
    longest_pause_s: float = 30.0
    """Longest pause before a restart."""


@dataclass(frozen=True)
class ProcessObservation:
    """A part as the supervisor sees it."""

    alive: bool
    done: bool
    answered: bool
    """Whether it has answered since its last start."""
    ever_ready: bool
    failures: int
    since_s: float
    """Seconds since its last start or end."""
    unready_s: float
    """Seconds since its last answer, or its start."""


def decide(part: ProcessObservation, policy: RestartPolicy) -> Action:
    """Return what to do about a part now."""
    if part.done:
        return Action.KEEP
    if part.alive:
        allowed_s = policy.unready_s if part.answered else policy.start_s
        return Action.RESTART if part.unready_s > allowed_s else Action.KEEP
    if not part.ever_ready and part.failures >= policy.start_attempts:
        return Action.GIVE_UP
    return Action.START if part.since_s >= pause_s(part.failures, policy) else Action.KEEP


def pause_s(failures: int, policy: RestartPolicy) -> float:
    """Return the seconds to wait before the next start: 0, then 1, 2, 4 …, up to the policy's longest pause."""
    return min(2.0 ** min(failures - 1, 16), policy.longest_pause_s) if failures else 0.0
