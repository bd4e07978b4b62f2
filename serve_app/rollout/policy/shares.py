"""Who gets which share of the traffic: what a rollout's state and step ask for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serve_app.rollout.policy.record import UNSEEN, Rollout, State


@dataclass(frozen=True, slots=True)
class Share:
    """A version's share of the traffic (`weight`, 0 to 1), and of the texts that it is only mirrored (`shadow`)."""

    version: int
    weight: float
    shadow: float = 0.0


def alone(version: int) -> tuple[Share, ...]:
    """Return the shares of a version that answers everything."""
    return (Share(version, 1.0),)


def leader_of(shares: Sequence[Share]) -> int | None:
    """Return the version with the largest share, None where there are no shares.

    The first of several that are equal, though it be 0: a table without traffic has a leader too.
    """
    return max(shares, key=lambda share: share.weight).version if shares else None


def shares_of(rollout: Rollout) -> tuple[Share, ...]:
    """Return the shares that a rollout asks for now, the champion's first.

    A version without weight stays in the table while it is loaded and going back to it may be asked for.
    """
    champion, challenger = rollout.champion, rollout.challenger
    if rollout.state is State.DONE:
        return alone(challenger)
    if rollout.step is None or rollout.state in UNSEEN | {State.ABORTING, State.ABORTED}:
        return alone(champion)
    if rollout.swapped:
        return alone(challenger)
    step = rollout.step
    shadow = 0.0 if step.is_full else rollout.limits.shadow_share  # on canary too: answers are compared at each step
    return Share(champion, 1.0 - step.share), Share(challenger, step.share, shadow)
