"""The state machine of a rollout: its record, the observed state and the analysis give one next step. Pure.

    waiting -> loading -> checking -> shadow -> canary … -> full -> draining -> done
       \\__________\\__________\\__________\\_________\\_________\\________\\______-> aborting -> aborted

In every state, a rollback is one change of the traffic table. What a state requires (table, alias, applications) is
done first, and only then does the state change: a controller that is killed in between takes the same step again.
"""

from __future__ import annotations

from typing import Final

from serve_app.rollout.policy.analysis import RolloutAnalysis
from serve_app.rollout.policy.decisions import (
    AppState,
    CheckVersion,
    Decision,
    NameChampion,
    ObservedState,
    RetireApplication,
    StartApplication,
    Transition,
    UnnameChallenger,
    Wait,
    table_change,
)
from serve_app.rollout.policy.gateway_sync import follow_failure, hold_reason
from serve_app.rollout.policy.record import BEFORE_TRAFFIC, Command, Rollout, State
from serve_app.rollout.policy.rollback import go_back
from serve_app.rollout.policy.shares import all_to, shares_of

#: Roll back after the challenger has had no healthy replica for this long.
CHALLENGER_DOWN_S: Final = 60.0
#: The same while it has all the traffic: every text then waits for it before the champion answers instead.
CHALLENGER_DOWN_ALONE_S: Final = 5.0
#: An automatic rollout leaves the shadow step only after it has compared this many texts, if so many came. They are
#: enough to detect, nine times in ten, a disagreement of twice the limit.
LEAST_COMPARED: Final = 500
_FINISHING: Final = frozenset({State.FULL, State.DRAINING})


def next_step(rollout: Rollout, observed: ObservedState, analysis: RolloutAnalysis, now_ms: int) -> Decision:
    """Return the one next step of a rollout that is under way."""
    if rollout.state is State.ABORTING:
        return go_back(rollout, observed, analysis)
    return (
        _on_command(rollout, observed, analysis)
        or _on_alias_change(rollout, observed, analysis)
        or _on_failed_check(rollout, observed, analysis, now_ms)
        or _enforce(rollout, observed)
        or _advance(rollout, observed, analysis, now_ms)
    )


def _on_command(rollout: Rollout, observed: ObservedState, analysis: RolloutAnalysis) -> Decision | None:
    match rollout.asked:
        case Command.ABORT:
            return _roll_back(rollout, "asked to abort", analysis)
        case Command.PAUSE:
            return Transition(rollout.state, rollout.stage, "asked to pause", analysis.numbers, paused=True)
        case Command.RESUME:
            return Transition(rollout.state, rollout.stage, "asked to go on", analysis.numbers)
        case Command.PROMOTE:
            return _promote(rollout, observed, analysis)
    return None


def _promote(rollout: Rollout, observed: ObservedState, analysis: RolloutAnalysis) -> Decision:
    if rollout.state not in (State.SHADOW, State.CANARY):
        reason = f"asked to promote, which state {rollout.state.value} does not allow: nothing changes"
        return Transition(rollout.state, rollout.stage, reason, paused=rollout.paused)
    if _is_healthy(rollout, observed):
        return _next_stage(rollout, "asked to promote", analysis)
    reason = f"asked to promote, but version {rollout.challenger} has no healthy replica: the step stays; ask again"
    return Transition(rollout.state, rollout.stage, reason, analysis.numbers, paused=rollout.paused)


def _on_alias_change(rollout: Rollout, observed: ObservedState, analysis: RolloutAnalysis) -> Decision | None:
    """React to somebody moving the alias `champion` by hand."""
    expected = rollout.challenger if rollout.state in BEFORE_TRAFFIC | _FINISHING else rollout.champion
    is_early = observed.champion == rollout.champion and rollout.state is not State.DRAINING
    if observed.champion in (None, expected) or is_early:
        return None
    if observed.champion == rollout.challenger:
        reason = "the alias champion was moved to it by hand"
        takeover = Transition(State.FULL, len(rollout.plan), reason, analysis.numbers)
        return takeover if _is_healthy(rollout, observed) else None
    return _roll_back(rollout, f"the alias champion was moved to version {observed.champion} by hand", analysis)


def _on_failed_check(
    rollout: Rollout, observed: ObservedState, analysis: RolloutAnalysis, now_ms: int
) -> Decision | None:
    """Roll back if the challenger does not load, is down, exceeds a limit, or gateways do not follow."""
    version, late = rollout.challenger, _age_s(rollout, now_ms) > rollout.limits.load_s
    if rollout.state is State.WAITING:
        return None
    if observed.apps.get(version) is AppState.FAILED:
        return _roll_back(rollout, f"version {version} does not load: {observed.why_down(version)}")
    if rollout.state is State.LOADING and late and not _is_healthy(rollout, observed):
        return _roll_back(rollout, f"version {version} did not load within {rollout.limits.load_s:g} s")
    if rollout.state is State.CHECKING and late and not rollout.paused:
        return _roll_back(rollout, f"version {version} did not pass its self-check within {rollout.limits.load_s:g} s")
    down_s = observed.challenger_down_s
    most_down_s = CHALLENGER_DOWN_ALONE_S if _is_alone(rollout) else CHALLENGER_DOWN_S
    if rollout.state not in BEFORE_TRAFFIC and down_s > most_down_s:
        return _roll_back(rollout, f"version {version} has had no healthy replica for {down_s:.0f} s", analysis)
    stop = analysis.stop or follow_failure(rollout, observed, _age_s(rollout, now_ms))
    return _roll_back(rollout, stop, analysis) if stop else None


def _is_healthy(rollout: Rollout, observed: ObservedState) -> bool:
    """Whether the challenger has a replica that answers."""
    return observed.apps.get(rollout.challenger) is AppState.RUNNING


def _is_alone(rollout: Rollout) -> bool:
    """Whether the challenger has all the traffic while the champion is still loaded."""
    return rollout.state in _FINISHING and not rollout.swapped


def _enforce(rollout: Rollout, observed: ObservedState) -> Decision | None:
    """Return the next step towards what the state requires: both versions run, and the table gives the shares."""
    if not rollout.swapped and observed.apps.get(rollout.champion) is None and not _is_retiring(rollout, observed):
        return StartApplication(rollout.champion)
    if rollout.state in BEFORE_TRAFFIC:
        return None
    if observed.apps.get(rollout.challenger) is None:
        return StartApplication(rollout.challenger)
    if _is_retiring(rollout, observed):
        return None
    return table_change(observed, shares_of(rollout), rollout.id, rollout.stage)


def _is_retiring(rollout: Rollout, observed: ObservedState) -> bool:
    """Whether the previous champion is out of the traffic table and about to end."""
    return rollout.state is State.DRAINING and observed.rollout is None and observed.serving == rollout.challenger


def _advance(rollout: Rollout, observed: ObservedState, analysis: RolloutAnalysis, now_ms: int) -> Decision:
    match rollout.state:
        case State.WAITING:
            return _find_room(rollout, observed, now_ms)
        case State.LOADING:
            return _load(rollout, observed)
        case State.CHECKING:
            return Wait("paused") if rollout.paused else CheckVersion(rollout.challenger)
        case State.FULL:
            return _move_alias(rollout, observed)
        case State.DRAINING:
            return _drain(rollout, observed, now_ms)
    return _hold(rollout, observed, analysis, now_ms)


def _find_room(rollout: Rollout, observed: ObservedState, now_ms: int) -> Decision:
    if rollout.paused:
        return Wait("paused")
    if observed.apps.get(rollout.challenger) is AppState.LOADING and _age_s(rollout, now_ms) < rollout.limits.load_s:
        return Wait(f"version {rollout.challenger} is already loading for the fixed split")
    if observed.no_room is None:
        return Transition(State.LOADING, 0, f"there is room for version {rollout.challenger}")
    if rollout.in_place:
        reason = f"{observed.no_room}: version {rollout.champion} ends first, as --in-place asked"
        return Transition(State.LOADING, 0, reason, swapped=True)
    return Wait(f"{observed.no_room}; free some resources, or abort and start with --in-place")


def _load(rollout: Rollout, observed: ObservedState) -> Decision:
    champion = observed.apps.get(rollout.champion)
    if rollout.swapped and champion is not None:
        if champion is AppState.STOPPING:
            return Wait(f"version {rollout.champion} is stopping to make room for version {rollout.challenger}")
        return RetireApplication(rollout.champion)
    app = observed.apps.get(rollout.challenger)
    if app is None:
        return StartApplication(rollout.challenger)
    if app is AppState.RUNNING:
        return Transition(State.CHECKING, 0, f"version {rollout.challenger} is loaded and warm", paused=rollout.paused)
    return Wait(f"version {rollout.challenger} is {app.value}")


def after_check(rollout: Rollout, numbers: dict[str, float]) -> Transition:
    """Return the move after a self-check that passed: to the first step, or to the last if the champion has ended."""
    stage = len(rollout.plan) if rollout.swapped else 1
    reason = f"version {rollout.challenger} passed its self-check"
    return Transition(_state_of(rollout, stage), stage, reason, numbers, paused=rollout.paused)


def _hold(rollout: Rollout, observed: ObservedState, analysis: RolloutAnalysis, now_ms: int) -> Decision:
    """Stay at the step for its holding time, then take the next one or wait for a person."""
    if rollout.paused:
        return Wait("paused")
    if not _is_healthy(rollout, observed):
        return Wait(f"version {rollout.challenger} has no healthy replica; Serve is replacing it")
    held_s = _in_force_s(rollout, observed, now_ms)
    if why := hold_reason(rollout, observed):
        return Wait(why)
    if held_s < rollout.hold_s:
        return Wait(f"step {rollout.step} is held for {rollout.hold_s:g} s")
    if not rollout.auto:
        return Wait(f"step {rollout.step} waits for promote")
    return _next_automatic(rollout, analysis, held_s)


def _next_automatic(rollout: Rollout, analysis: RolloutAnalysis, held_s: float) -> Decision:
    """Take the next step of an automatic rollout, unless too few texts were compared or labelled."""
    late = held_s >= rollout.hold_s + rollout.limits.evidence_s
    if rollout.step and rollout.step.is_shadow and _too_few_compared(analysis, 1 if late else LEAST_COMPARED):
        return Wait(f"{analysis.numbers['compared']:.0f} texts were compared in shadow; {LEAST_COMPARED} are needed")
    if rollout.plan[rollout.stage].is_full and analysis.labelled and not analysis.is_no_worse:
        return _await_labels(rollout, analysis, held_s)
    why = "feedback shows that it is no worse" if analysis.is_no_worse else "no limit was exceeded"
    return _next_stage(rollout, f"step {rollout.step} was held for {rollout.hold_s:g} s and {why}", analysis)


def _too_few_compared(analysis: RolloutAnalysis, least: int) -> bool:
    """Whether enough texts came, but fewer than `least` of them were compared."""
    requests, compared = analysis.numbers.get("champion_requests", 0), analysis.numbers.get("compared", 0)
    return requests >= LEAST_COMPARED and compared < least


def _await_labels(rollout: Rollout, analysis: RolloutAnalysis, held_s: float) -> Decision:
    limits = rollout.limits
    if analysis.labelled < limits.max_labels and held_s < rollout.hold_s + limits.evidence_s:
        return Wait(f"{analysis.labelled} texts with feedback do not show yet whether it is worse by {limits.margin:g}")
    reason = (
        f"{analysis.labelled} texts with feedback do not show whether version {rollout.challenger} is worse by "
        f"{limits.margin:g}: promote or abort it yourself"
    )
    return Transition(rollout.state, rollout.stage, reason, analysis.numbers, paused=True)


def _move_alias(rollout: Rollout, observed: ObservedState) -> Decision:
    if not _is_healthy(rollout, observed):
        return Wait(f"version {rollout.challenger} has no healthy replica; Serve is replacing it")
    if why := hold_reason(rollout, observed):
        return Wait(why)
    if observed.champion != rollout.challenger:
        return Wait(observed.busy) if observed.busy else NameChampion(rollout.challenger)
    return Transition(State.DRAINING, rollout.stage, f"version {rollout.challenger} is the champion")


def _drain(rollout: Rollout, observed: ObservedState, now_ms: int) -> Decision:
    """Take the previous champion out of the table once late requests are answered, then end its application."""
    if why := hold_reason(rollout, observed) or _keep_reason(rollout, observed, now_ms):
        return Wait(why)
    if not _is_retiring(rollout, observed) and (publish := table_change(observed, all_to(rollout.challenger))):
        return publish
    app = None if rollout.champion in observed.split.values() else observed.apps.get(rollout.champion)
    if app is not None and app is not AppState.STOPPING:
        return RetireApplication(rollout.champion)
    if observed.challenger == rollout.challenger:
        return Wait(observed.busy) if observed.busy else UnnameChallenger()
    if app is not None:
        return Wait(f"version {rollout.champion} is stopping")
    return Transition(State.DONE, rollout.stage, f"version {rollout.challenger} has taken over")


def _keep_reason(rollout: Rollout, observed: ObservedState, now_ms: int) -> str | None:
    """Return why the previous champion stays loaded, None where it may end."""
    if _is_retiring(rollout, observed):
        return None
    if _in_force_s(rollout, observed, now_ms) < rollout.limits.drain_s:
        return f"version {rollout.champion} is kept for {rollout.limits.drain_s:g} s"
    if _is_healthy(rollout, observed):
        return None
    return f"version {rollout.champion} is kept while version {rollout.challenger} is down"


def _next_stage(rollout: Rollout, reason: str, analysis: RolloutAnalysis) -> Transition:
    stage = rollout.stage + 1
    return Transition(_state_of(rollout, stage), stage, reason, analysis.numbers)


def _roll_back(rollout: Rollout, reason: str, analysis: RolloutAnalysis | None = None) -> Transition:
    return Transition(State.ABORTING, rollout.stage, reason, analysis.numbers if analysis else {})


def _state_of(rollout: Rollout, stage: int) -> State:
    step = rollout.plan[stage - 1]
    return State.FULL if step.is_full else State.SHADOW if step.is_shadow else State.CANARY


def _age_s(rollout: Rollout, now_ms: int) -> float:
    return (now_ms - rollout.since_ms) / 1000


def _in_force_s(rollout: Rollout, observed: ObservedState, now_ms: int) -> float:
    """Return for how many seconds all gateways have had the shares of the present state and step in force."""
    return min(_age_s(rollout, now_ms), observed.since_published_s, observed.since_followed_s)
