"""Decides what the controller does while no rollout is under way: the registry's champion answers everything. Pure."""

from __future__ import annotations

from typing import Final

from serve_app.rollout.policy.decisions import (
    AppState,
    BeginRollout,
    Decision,
    ObservedState,
    RetireApplication,
    StartApplication,
    Wait,
    bring_up,
    table_change,
)
from serve_app.rollout.policy.shares import all_to

#: How long a version without traffic keeps running, so that going back is quick and late requests are answered.
RETIRE_AFTER_S: Final = 30.0


def decide(observed: ObservedState, *, automatic: bool = False) -> Decision:
    """Return the one next step while no rollout is under way.

    Where the registry names no usable champion (it is away or empty, or its champion is refused), the version that
    serves now is kept. `automatic` lets the alias `challenger` start a rollout.
    """
    has_champion = observed.champion not in (None, *observed.refused)
    champion = observed.champion if has_champion else observed.serving
    refused = "".join(f"; refused: {reason}" for _, reason in sorted(observed.refused.items()))
    if champion is None:
        return Wait(f"no version has the alias champion yet{refused}")
    if champion in observed.lacking:
        return Wait(f"{observed.lacking[champion]}; free some resources")
    return (
        bring_up(observed, champion)
        or table_change(observed, all_to(champion))
        or _load_split(observed)
        or (_begin(observed, champion) if automatic else None)
        or _tidy(observed, champion)
        or Wait(f"version {champion} serves{refused}", settled=True)
    )


def _load_split(observed: ObservedState) -> Decision | None:
    """Start a version that the fixed split needs; end one that failed once its retry is due, so that it starts anew."""
    missing = sorted(set(observed.split.values()) - set(observed.apps) - set(observed.lacking))
    if missing:
        return StartApplication(missing[0])
    due = (v for v, failing in sorted(observed.failing.items()) if failing.since_s >= failing.again_after_s)
    return next((RetireApplication(version) for version in due), None)


def _begin(observed: ObservedState, champion: int) -> Decision | None:
    challenger = observed.challenger
    if challenger is None or challenger == champion or challenger in observed.refused:
        return None
    return BeginRollout(challenger)


def _tidy(observed: ObservedState, champion: int) -> Decision | None:
    if observed.since_published_s < RETIRE_AFTER_S:
        return None
    needed = {champion, *observed.split.values()}
    others = (v for v, state in sorted(observed.apps.items()) if v not in needed and state is not AppState.STOPPING)
    return next((RetireApplication(version) for version in others), None)
