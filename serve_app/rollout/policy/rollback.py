"""The steps of a rollback, until the champion serves again and the challenger has ended. Pure.

What the champion needs to answer comes first. The registry's aliases come last: if the registry is away, only the end
of the rollout waits for it.
"""

from __future__ import annotations

from typing import Final

from serve_app.rollout.policy.analysis import RolloutAnalysis
from serve_app.rollout.policy.decisions import (
    AppState,
    Decision,
    NameChampion,
    ObservedState,
    RetireApplication,
    StartApplication,
    Transition,
    UnnameChallenger,
    Wait,
    bring_up,
    table_change,
)
from serve_app.rollout.policy.record import Rollout, State
from serve_app.rollout.policy.shares import shares_of

#: How long after a request to move an alias the registry may still carry it out. Its client gives up earlier.
LATE_MS: Final = 90_000


def go_back(rollout: Rollout, observed: ObservedState, analysis: RolloutAnalysis) -> Decision:
    """Return the next step of a rollback: the champion's traffic, then its alias, then the challenger's end."""
    if rollout.swapped and (room := _make_room(rollout, observed)):
        return room
    publish = table_change(observed, shares_of(rollout), without=rollout.challenger)
    if publish is not None:
        is_down = observed.apps.get(rollout.champion) is AppState.DOWN  # loaded: Serve replaces its replicas
        return (None if is_down else bring_up(observed, rollout.champion)) or publish
    if observed.apps.get(rollout.champion) is None:
        return StartApplication(rollout.champion)
    if observed.champion == rollout.challenger and not observed.busy:
        return NameChampion(rollout.champion)
    ended = Transition(State.ABORTED, rollout.stage, rollout.decisions[-1].reason, analysis.numbers)
    return _dismiss(rollout, observed) or _await_alias(rollout, observed) or ended


def _make_room(rollout: Rollout, observed: ObservedState) -> Decision | None:
    """End a challenger that took the champion's room, so that the champion can be loaded again."""
    app = observed.apps.get(rollout.challenger)
    if app is None or observed.apps.get(rollout.champion) is not None:
        return None
    if app is AppState.STOPPING:
        return Wait(f"version {rollout.challenger} is stopping to make room for version {rollout.champion}")
    return RetireApplication(rollout.challenger)


def _dismiss(rollout: Rollout, observed: ObservedState) -> Decision | None:
    """End the challenger's application, then its alias once the champion runs."""
    app = observed.apps.get(rollout.challenger)
    if app not in (None, AppState.STOPPING):
        late = rollout.stage > 0 and app is AppState.RUNNING and observed.since_published_s < rollout.limits.drain_s
        if late:
            return Wait(f"version {rollout.challenger} is answering requests that it got before the rollback")
        return RetireApplication(rollout.challenger)
    if app is AppState.STOPPING:
        return Wait(f"version {rollout.challenger} is stopping")
    if loading := bring_up(observed, rollout.champion):
        return loading
    if observed.challenger != rollout.challenger:
        return None
    return Wait(observed.busy) if observed.busy else UnnameChallenger()


def _await_alias(rollout: Rollout, observed: ObservedState) -> Wait | None:
    """Wait until the alias `champion` can no longer move to the challenger.

    Once the rollout has ended, whatever version bears the alias gets the traffic.
    """
    if observed.busy:
        return Wait(observed.busy)
    if rollout.naming_ms is None:
        return None
    sure_ms = max(rollout.since_ms, rollout.naming_ms + LATE_MS)
    if observed.asked_ms is not None and observed.asked_ms >= sure_ms:
        return None
    return Wait(
        f"the registry was asked to move the alias champion to version {rollout.challenger} and may still do so: "
        f"waiting {LATE_MS / 1000:g} s after that request, and for an answer of the registry"
    )
