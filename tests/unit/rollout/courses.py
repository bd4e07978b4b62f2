"""What the controller sees of a rollout, and the decision that follows, for tests of the course."""

from __future__ import annotations

from dataclasses import replace

from serve_app.rollout.policy.analysis import RolloutAnalysis
from serve_app.rollout.policy.decisions import (
    AppState,
    ObservedState,
    Transition,
)
from serve_app.rollout.policy.record import Rollout, State
from serve_app.rollout.policy.shares import shares_of
from serve_app.rollout.policy.state_machine import next_step
from tests.unit.rollout.rollouts import START_MS

RUNNING, LOADING, FAILED, STOPPING, DOWN = (
    AppState.RUNNING,
    AppState.LOADING,
    AppState.FAILED,
    AppState.STOPPING,
    AppState.DOWN,
)
FINE = RolloutAnalysis(None, is_no_worse=False, labelled=0, numbers={"compared": 5})
BOTH = {1: RUNNING, 2: RUNNING}


def seen_of(rollout: Rollout, /, apps=None, **changes) -> ObservedState:
    """Return what is seen when all that the rollout's state asks for is made so."""
    follows = rollout.stage > 0 and rollout.state is not State.ABORTING
    observed = ObservedState(
        champion=2 if rollout.state is State.DRAINING else 1,
        shares=shares_of(rollout),
        apps=BOTH if apps is None else apps,
        since_published_s=1e6,
        since_failed_s=0.0,
        rollout=rollout.id if follows else None,
        stage=rollout.stage if follows else 0,
    )
    return replace(observed, **changes)


def after(rollout: Rollout, seconds: float, judged: RolloutAnalysis = FINE, /, **seen):
    return next_step(rollout, seen_of(rollout, **seen), judged, START_MS + int(seconds * 1000))


def moved(decision) -> tuple[State, int]:
    assert isinstance(decision, Transition), decision
    return decision.state, decision.stage
