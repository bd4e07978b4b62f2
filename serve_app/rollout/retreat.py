"""The way back of a rollout: the champion serves again and nothing of the challenger is left. Pure.

What the champion needs to answer comes before what only the registry must know: that may be away.
"""

from __future__ import annotations

from serve_app.rollout.judgement import Judgement
from serve_app.rollout.policy import (
    AppState,
    Decision,
    Move,
    NameChampion,
    Observed,
    Retire,
    Start,
    UnnameChallenger,
    Wait,
    bring_up,
    directed,
)
from serve_app.rollout.record import Rollout, State
from serve_app.rollout.shares import shares_of


def go_back(rollout: Rollout, seen: Observed, judged: Judgement) -> Decision:
    """Give the champion the traffic, the alias if it was lost, and end the challenger: nothing of it is left behind."""
    if rollout.swapped and (room := _make_room(rollout, seen)):
        return room
    back = directed(seen, shares_of(rollout), without=rollout.challenger)
    if back is not None:
        is_there = seen.apps.get(rollout.champion) is AppState.DOWN
        return (None if is_there else bring_up(seen, rollout.champion)) or back
    if seen.apps.get(rollout.champion) is None:
        return Start(rollout.champion)
    if seen.champion == rollout.challenger:
        return NameChampion(rollout.champion)
    return _dismiss(rollout, seen) or Move(State.ABORTED, rollout.stage, rollout.decisions[-1].reason, judged.numbers)


def _make_room(rollout: Rollout, seen: Observed) -> Decision | None:
    """End a challenger that took the champion's room, so that the champion can be loaded again."""
    app = seen.apps.get(rollout.challenger)
    if app is None or seen.apps.get(rollout.champion) is not None:
        return None
    return Wait("room is being made") if app is AppState.LEAVING else Retire(rollout.challenger)


def _dismiss(rollout: Rollout, seen: Observed) -> Decision | None:
    """End the challenger's application, then its alias once the champion runs."""
    app = seen.apps.get(rollout.challenger)
    if app not in (None, AppState.LEAVING):
        late = rollout.stage > 0 and app is AppState.RUNNING and seen.since_published_s < rollout.limits.drain_s
        return Wait(f"version {rollout.challenger} answers late requests") if late else Retire(rollout.challenger)
    if app is AppState.LEAVING:
        return Wait(f"version {rollout.challenger} is leaving")
    if loading := bring_up(seen, rollout.champion):
        return loading
    return UnnameChallenger() if seen.challenger == rollout.challenger else None
