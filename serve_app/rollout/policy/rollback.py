"""The way back of a rollout: the champion serves again and nothing of the challenger is left. Pure.

What the champion needs to answer comes before what only the registry must know: that may be away, and only the end of
the rollout waits for it then.
"""

from __future__ import annotations

from typing import Final

from serve_app.rollout.policy.analysis import RolloutAnalysis
from serve_app.rollout.policy.decisions import (
    AppState,
    Decision,
    Move,
    NameChampion,
    Observed,
    Retire,
    StartApplication,
    UnnameChallenger,
    Wait,
    bring_up,
    directed,
)
from serve_app.rollout.policy.record import Rollout, State
from serve_app.rollout.policy.shares import shares_of

#: How late the registry may still carry out that it was asked to name the challenger: its client gives up before.
LATE_MS: Final = 90_000


def go_back(rollout: Rollout, observed: Observed, analysis: RolloutAnalysis) -> Decision:
    """Give the champion the traffic, the alias if it was lost, and end the challenger: nothing of it is left behind."""
    if rollout.swapped and (room := _make_room(rollout, observed)):
        return room
    back = directed(observed, shares_of(rollout), without=rollout.challenger)
    if back is not None:
        is_there = observed.apps.get(rollout.champion) is AppState.DOWN
        return (None if is_there else bring_up(observed, rollout.champion)) or back
    if observed.apps.get(rollout.champion) is None:
        return StartApplication(rollout.champion)
    if observed.champion == rollout.challenger and not observed.busy:
        return NameChampion(rollout.champion)
    ended = Move(State.ABORTED, rollout.stage, rollout.decisions[-1].reason, analysis.numbers)
    return _dismiss(rollout, observed) or _await_alias(rollout, observed) or ended


def _make_room(rollout: Rollout, observed: Observed) -> Decision | None:
    """End a challenger that took the champion's room, so that the champion can be loaded again."""
    app = observed.apps.get(rollout.challenger)
    if app is None or observed.apps.get(rollout.champion) is not None:
        return None
    return Wait("room is being made") if app is AppState.LEAVING else Retire(rollout.challenger)


def _dismiss(rollout: Rollout, observed: Observed) -> Decision | None:
    """End the challenger's application, then its alias once the champion runs."""
    app = observed.apps.get(rollout.challenger)
    if app not in (None, AppState.LEAVING):
        late = rollout.stage > 0 and app is AppState.RUNNING and observed.since_published_s < rollout.limits.drain_s
        return Wait(f"version {rollout.challenger} answers late requests") if late else Retire(rollout.challenger)
    if app is AppState.LEAVING:
        return Wait(f"version {rollout.challenger} is leaving")
    if loading := bring_up(observed, rollout.champion):
        return loading
    if observed.challenger != rollout.challenger:
        return None
    return Wait(observed.busy) if observed.busy else UnnameChallenger()


def _await_alias(rollout: Rollout, observed: Observed) -> Wait | None:
    """Wait until the alias surely is not the challenger's: once the rollout has ended, whoever bears it is followed."""
    if observed.busy:
        return Wait(observed.busy)
    if rollout.naming_ms is None:
        return None
    sure_ms = max(rollout.since_ms, rollout.naming_ms + LATE_MS)
    if observed.asked_ms is not None and observed.asked_ms >= sure_ms:
        return None
    return Wait(
        f"the registry was asked to let the alias champion name version {rollout.challenger} and may do so late: it is "
        f"looked at for {LATE_MS / 1000:g} s after that, and until it answers"
    )
