"""The controller's next step while no rollout is under way: the registry's champion answers everything. Pure."""

from __future__ import annotations

from typing import Final

from serve_app.rollout.policy.decisions import (
    AppState,
    Begin,
    Decision,
    Observed,
    Retire,
    StartApplication,
    Wait,
    bring_up,
    directed,
)
from serve_app.rollout.policy.shares import alone

#: How long a version without traffic keeps running, so that going back is quick and late requests are answered.
RETIRE_AFTER_S: Final = 30.0


def decide(observed: Observed, *, automatic: bool = False) -> Decision:
    """Return the one next step while no rollout is under way.

    Without a champion (the registry is away or empty, or names one that is refused) the serving version is kept up.
    `automatic` lets the alias `challenger` start a rollout.
    """
    named = observed.champion not in (None, *observed.refused)
    wanted = observed.champion if named else observed.serving
    refused = "".join(f"; refused: {reason}" for _, reason in sorted(observed.refused.items()))
    if wanted is None:
        return Wait(f"the registry names no champion yet{refused}")
    if wanted in observed.lacking:
        return Wait(f"{observed.lacking[wanted]}; free some")
    return (
        bring_up(observed, wanted)
        or directed(observed, alone(wanted))
        or _load_split(observed)
        or (_begin(observed, wanted) if automatic else None)
        or _tidy(observed, wanted)
        or Wait(f"version {wanted} serves{refused}", settled=True)
    )


def _load_split(observed: Observed) -> Decision | None:
    """Start what the fixed split lacks; one that failed is ended first when its time has come."""
    missing = sorted(set(observed.split.values()) - set(observed.apps) - set(observed.lacking))
    if missing:
        return StartApplication(missing[0])
    due = (v for v, failing in sorted(observed.failing.items()) if failing.since_s >= failing.again_after_s)
    return next((Retire(version) for version in due), None)


def _begin(observed: Observed, wanted: int) -> Decision | None:
    challenger = observed.challenger
    if challenger is None or challenger == wanted or challenger in observed.refused:
        return None
    return Begin(challenger)


def _tidy(observed: Observed, wanted: int) -> Decision | None:
    if observed.since_published_s < RETIRE_AFTER_S:
        return None
    kept = {wanted, *observed.split.values()}
    others = (v for v, state in sorted(observed.apps.items()) if v not in kept and state is not AppState.LEAVING)
    return next((Retire(version) for version in others), None)
