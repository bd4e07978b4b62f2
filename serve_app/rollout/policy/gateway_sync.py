"""Whether gateways follow a rollout, and what becomes of one that they do not follow. Pure.

A gateway keeps its old traffic table while it cannot open a version that has traffic in the new one, whatever Serve
says of that version's application.
"""

from __future__ import annotations

from serve_app.rollout.policy.decisions import AppState, Observed
from serve_app.rollout.policy.record import Rollout


def follow_failure(rollout: Rollout, observed: Observed, age_s: float) -> str | None:
    """Return why a rollout goes back that gateways have not followed for too long; `age_s` is the present step's."""
    limit_s = rollout.limits.follow_s
    if (
        observed.behind is None
        or min(observed.since_all_followed_s, age_s) <= limit_s
        or not _may_go_back(rollout, observed)
    ):
        return None
    return f"{observed.behind} for {limit_s:g} s: version {rollout.challenger} does not open there"


def hold_reason(rollout: Rollout, observed: Observed) -> str | None:
    """Return which gateways a rollout waits for, and for whom these wait where it does not go back by itself."""
    if observed.behind is None or _may_go_back(rollout, observed):
        return observed.behind
    return (
        f"{observed.behind}, and version {rollout.champion} is not loaded: it does not go back by itself, since the "
        "others would have no version; restart those gateways, or abort"
    )


def _may_go_back(rollout: Rollout, observed: Observed) -> bool:
    """Whether going back takes no version away from a gateway that has one.

    Without the champion, which had to end for the challenger, it does unless no gateway has opened that one.
    """
    return observed.apps.get(rollout.champion) is AppState.RUNNING or (rollout.swapped and not observed.followers)
