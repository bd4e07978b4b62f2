"""Who gets which share of the traffic: what a rollout's state and step ask for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serve_app.rollout.policy.record import BEFORE_TRAFFIC, Rollout, State


@dataclass(frozen=True, slots=True)
class Share:
    """What one version gets of the traffic."""

    version: int
    weight: float
    """Share of the texts that it answers, 0 to 1."""
    shadow: float = 0.0
    """Share of the other texts that are mirrored to it, 0 to 1."""


def all_to(version: int) -> tuple[Share, ...]:
    """Return the shares of a version that answers everything."""
    return (Share(version, 1.0),)


def leader_of(shares: Sequence[Share]) -> int | None:
    """Return the version with the largest share, the first of equal ones; None where there are no shares."""
    return max(shares, key=lambda share: share.weight).version if shares else None


def shares_of(rollout: Rollout) -> tuple[Share, ...]:
    """Return the shares that a rollout's state and step require, the champion's first.

    A version without weight stays in the table as long as the rollout may still go back to it.
    """
    champion, challenger = rollout.champion, rollout.challenger
    if rollout.state is State.DONE:
        return all_to(challenger)
    if rollout.step is None or rollout.state in BEFORE_TRAFFIC | {State.ABORTING, State.ABORTED}:
        return all_to(champion)
    if rollout.swapped:
        return all_to(challenger)
    step = rollout.step
    shadow = 0.0 if step.is_full else rollout.limits.shadow_share  # on canary too: answers are compared at each step
    return Share(champion, 1.0 - step.share), Share(challenger, step.share, shadow)
