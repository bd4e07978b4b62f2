"""Decides what a rollout does while gateways have not put its traffic table in force. Pure.

A gateway keeps its old traffic table as long as it cannot reach a version that has traffic in the new one, even if
Serve reports that version's application as running.
"""

from __future__ import annotations

from serve_app.rollout.policy.decisions import AppState, ObservedState
from serve_app.rollout.policy.record import Rollout


def follow_failure(rollout: Rollout, observed: ObservedState, age_s: float) -> str | None:
    """Return why to roll back: gateways have not followed for longer than the limit. `age_s` is the present step's."""
    limit_s = rollout.limits.follow_s
    if (
        observed.behind is None
        or min(observed.since_all_followed_s, age_s) <= limit_s
        or not _may_go_back(rollout, observed)
    ):
        return None
    return f"{observed.behind} for {limit_s:g} s: they cannot reach version {rollout.challenger}"


def hold_reason(rollout: Rollout, observed: ObservedState) -> str | None:
    """Return which gateways a rollout waits for, and what to do where it cannot go back by itself; None if none."""
    if observed.behind is None or _may_go_back(rollout, observed):
        return observed.behind
    return (
        f"{observed.behind}, and version {rollout.champion} is not loaded: the rollout does not go back by itself, "
        "because the other gateways would have no version; restart those gateways, or abort"
    )


def _may_go_back(rollout: Rollout, observed: ObservedState) -> bool:
    """Whether going back leaves no gateway without a version.

    The champion must be running; or, where it had to end for the challenger, no gateway may use the challenger yet.
    """
    return observed.apps.get(rollout.champion) is AppState.RUNNING or (rollout.swapped and not observed.followers)
