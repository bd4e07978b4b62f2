"""The way back of a rollout: the champion serves again and nothing of the challenger is left. Pure.

What the champion needs to answer comes before what only the registry must know: that may be away, and only the end of
the rollout waits for it then.
"""

from __future__ import annotations

from typing import Final

from serve_app.rollout.policy.analysis import Judgement
from serve_app.rollout.policy.decisions import (
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
from serve_app.rollout.policy.record import Rollout, State
from serve_app.rollout.policy.shares import shares_of

#: How late the registry may still carry out that it was asked to name the challenger: its client gives up before.
LATE_MS: Final = 90_000


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
    if seen.champion == rollout.challenger and not seen.busy:
        return NameChampion(rollout.champion)
    ended = Move(State.ABORTED, rollout.stage, rollout.decisions[-1].reason, judged.numbers)
    return _dismiss(rollout, seen) or _await_alias(rollout, seen) or ended


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
    if seen.challenger != rollout.challenger:
        return None
    return Wait(seen.busy) if seen.busy else UnnameChallenger()


def _await_alias(rollout: Rollout, seen: Observed) -> Wait | None:
    """Wait until the alias surely is not the challenger's: once the rollout has ended, whoever bears it is followed."""
    if seen.busy:
        return Wait(seen.busy)
    if rollout.naming_ms is None:
        return None
    sure_ms = max(rollout.since_ms, rollout.naming_ms + LATE_MS)
    if seen.asked_ms is not None and seen.asked_ms >= sure_ms:
        return None
    return Wait(
        f"the registry was asked to let the alias champion name version {rollout.challenger} and may do so late: it is "
        f"looked at for {LATE_MS / 1000:g} s after that, and until it answers"
    )
