"""Whether gateways follow a rollout, and what becomes of one that they do not follow. Pure.

A gateway keeps its old traffic table while it cannot open a version that has traffic in the new one, whatever Serve
says of that version's application.
"""

from __future__ import annotations

from serve_app.rollout.policy.decisions import AppState, Observed
from serve_app.rollout.policy.record import Rollout


def given_up(rollout: Rollout, seen: Observed, age_s: float) -> str | None:
    """Return why a rollout goes back that gateways have not followed for too long; `age_s` is the present step's."""
    limit_s = rollout.limits.follow_s
    if seen.behind is None or min(seen.since_all_followed_s, age_s) <= limit_s or not _may_go_back(rollout, seen):
        return None
    return f"{seen.behind} for {limit_s:g} s: version {rollout.challenger} does not open there"


def held_up(rollout: Rollout, seen: Observed) -> str | None:
    """Return which gateways a rollout waits for, and for whom these wait where it does not go back by itself."""
    if seen.behind is None or _may_go_back(rollout, seen):
        return seen.behind
    return (
        f"{seen.behind}, and version {rollout.champion} is not loaded: it does not go back by itself, since the others "
        "would have no version; restart those gateways, or abort"
    )


def _may_go_back(rollout: Rollout, seen: Observed) -> bool:
    """Whether going back takes no version away from a gateway that has one.

    Without the champion, which had to end for the challenger, it does unless no gateway has opened that one.
    """
    return seen.apps.get(rollout.champion) is AppState.RUNNING or (rollout.swapped and not seen.followers)
