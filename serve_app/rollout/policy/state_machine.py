"""The course of a rollout: from its record, what is observed and the judgement to the one next step. Pure.

    waiting -> loading -> checking -> shadow -> canary … -> full -> draining -> done
       \\__________\\__________\\__________\\_________\\_________\\________\\______-> aborting -> aborted

Going back is one change of the traffic table, whatever the state. What a state asks for is made so first (table, alias,
applications), then the state moves on: a controller that was killed in between finds the same step again.
"""

from __future__ import annotations

from typing import Final

from serve_app.rollout.policy.analysis import RolloutAnalysis
from serve_app.rollout.policy.decisions import (
    AppState,
    Check,
    Decision,
    Move,
    NameChampion,
    Observed,
    Retire,
    StartApplication,
    UnnameChallenger,
    Wait,
    directed,
)
from serve_app.rollout.policy.gateway_sync import follow_failure, hold_reason
from serve_app.rollout.policy.record import UNSEEN, Command, Rollout, State
from serve_app.rollout.policy.rollback import go_back
from serve_app.rollout.policy.shares import alone, shares_of

#: Roll back after the challenger has had no healthy replica for this long.
CHALLENGER_DOWN_S: Final = 60.0
#: The same once it has all the traffic, so that every text waits for it before the champion stands in.
CHALLENGER_DOWN_ALONE_S: Final = 5.0
#: Texts that an automatic rollout compares before it leaves the shadow, where so many came: enough to find labels that
#: are swapped on twice as many of them as allowed, nine times in ten.
LEAST_COMPARED: Final = 500
_FINISHING: Final = frozenset({State.FULL, State.DRAINING})


def next_step(rollout: Rollout, observed: Observed, analysis: RolloutAnalysis, now_ms: int) -> Decision:
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


def _on_command(rollout: Rollout, observed: Observed, analysis: RolloutAnalysis) -> Decision | None:
    match rollout.asked:
        case Command.ABORT:
            return _back(rollout, "asked to abort", analysis)
        case Command.PAUSE:
            return Move(rollout.state, rollout.stage, "asked to pause", analysis.numbers, paused=True)
        case Command.RESUME:
            return Move(rollout.state, rollout.stage, "asked to go on", analysis.numbers)
        case Command.PROMOTE:
            return _promote(rollout, observed, analysis)
    return None


def _promote(rollout: Rollout, observed: Observed, analysis: RolloutAnalysis) -> Decision:
    if rollout.state not in (State.SHADOW, State.CANARY):
        return Move(rollout.state, rollout.stage, "asked to promote: there is no step to take", paused=rollout.paused)
    if _works(rollout, observed):
        return _forward(rollout, "asked to promote", analysis)
    reason = f"asked to promote: version {rollout.challenger} has no working replica now, the step stays"
    return Move(rollout.state, rollout.stage, reason, analysis.numbers, paused=rollout.paused)


def _on_alias_change(rollout: Rollout, observed: Observed, analysis: RolloutAnalysis) -> Decision | None:
    """Follow a champion's alias that was moved by hand."""
    expected = rollout.challenger if rollout.state in UNSEEN | _FINISHING else rollout.champion
    is_early = observed.champion == rollout.champion and rollout.state is not State.DRAINING
    if observed.champion in (None, expected) or is_early:
        return None
    if observed.champion == rollout.challenger:
        hand = Move(State.FULL, len(rollout.plan), "the alias champion was moved to it by hand", analysis.numbers)
        return hand if _works(rollout, observed) else None
    return _back(rollout, f"the alias champion was moved to version {observed.champion} by hand", analysis)


def _on_failed_check(rollout: Rollout, observed: Observed, analysis: RolloutAnalysis, now_ms: int) -> Decision | None:
    """Go back where the challenger does not load, does not work, or is analysis to be worse."""
    version, late = rollout.challenger, _age_s(rollout, now_ms) > rollout.limits.load_s
    if rollout.state is State.WAITING:
        return None
    if observed.apps.get(version) is AppState.FAILED:
        return _back(rollout, f"version {version} does not load: {observed.why_down(version)}")
    if rollout.state is State.LOADING and late and not _works(rollout, observed):
        return _back(rollout, f"version {version} did not load within {rollout.limits.load_s:g} s")
    if rollout.state is State.CHECKING and late and not rollout.paused:
        return _back(rollout, f"version {version} did not answer its known texts within {rollout.limits.load_s:g} s")
    down_s, most_down_s = (
        observed.challenger_down_s,
        CHALLENGER_DOWN_ALONE_S if _is_alone(rollout) else CHALLENGER_DOWN_S,
    )
    if rollout.state not in UNSEEN and down_s > most_down_s:
        return _back(rollout, f"version {version} has had no working replica for {down_s:.0f} s", analysis)
    stop = analysis.stop or follow_failure(rollout, observed, _age_s(rollout, now_ms))
    return _back(rollout, stop, analysis) if stop else None


def _works(rollout: Rollout, observed: Observed) -> bool:
    """Whether the challenger has a replica that answers."""
    return observed.apps.get(rollout.challenger) is AppState.RUNNING


def _is_alone(rollout: Rollout) -> bool:
    """Whether the challenger has all the traffic while the champion is still there to go back to."""
    return rollout.state in _FINISHING and not rollout.swapped


def _enforce(rollout: Rollout, observed: Observed) -> Decision | None:
    """Make so what the state asks for: both versions run, and the table says who gets what."""
    if not rollout.swapped and observed.apps.get(rollout.champion) is None and not _leaves(rollout, observed):
        return StartApplication(rollout.champion)
    if rollout.state in UNSEEN:
        return None
    if observed.apps.get(rollout.challenger) is None:
        return StartApplication(rollout.challenger)
    if _leaves(rollout, observed):
        return None
    return directed(observed, shares_of(rollout), rollout.id, rollout.stage)


def _leaves(rollout: Rollout, observed: Observed) -> bool:
    """Whether the champion of before is out of the table already, and on its way out."""
    return rollout.state is State.DRAINING and observed.rollout is None and observed.serving == rollout.challenger


def _advance(rollout: Rollout, observed: Observed, analysis: RolloutAnalysis, now_ms: int) -> Decision:
    match rollout.state:
        case State.WAITING:
            return _find_room(rollout, observed, now_ms)
        case State.LOADING:
            return _load(rollout, observed)
        case State.CHECKING:
            return Wait("paused") if rollout.paused else Check(rollout.challenger)
        case State.FULL:
            return _name(rollout, observed)
        case State.DRAINING:
            return _drain(rollout, observed, now_ms)
    return _hold(rollout, observed, analysis, now_ms)


def _find_room(rollout: Rollout, observed: Observed, now_ms: int) -> Decision:
    if rollout.paused:
        return Wait("paused")
    if observed.apps.get(rollout.challenger) is AppState.LOADING and _age_s(rollout, now_ms) < rollout.limits.load_s:
        return Wait(f"version {rollout.challenger} is loading for the fixed split: its room may be its own")
    if observed.no_room is None:
        return Move(State.LOADING, 0, f"there is room for version {rollout.challenger}")
    if rollout.in_place:
        reason = f"{observed.no_room}: version {rollout.champion} ends first, as was asked for"
        return Move(State.LOADING, 0, reason, swapped=True)
    return Wait(f"{observed.no_room}; free some, or abort and start with --in-place")


def _load(rollout: Rollout, observed: Observed) -> Decision:
    champion = observed.apps.get(rollout.champion)
    if rollout.swapped and champion is not None:
        return Wait("room is being made") if champion is AppState.LEAVING else Retire(rollout.champion)
    app = observed.apps.get(rollout.challenger)
    if app is None:
        return StartApplication(rollout.challenger)
    if app is AppState.RUNNING:
        return Move(State.CHECKING, 0, f"version {rollout.challenger} is loaded and warm", paused=rollout.paused)
    return Wait(f"version {rollout.challenger} is {app.value}")


def checked(rollout: Rollout, numbers: dict[str, float]) -> Move:
    """Return the move that follows a check that was passed: on to the first step, or, swapped in place, to the last."""
    stage = len(rollout.plan) if rollout.swapped else 1
    reason = f"version {rollout.challenger} answers its known texts as recorded"
    return Move(_state_of(rollout, stage), stage, reason, numbers, paused=rollout.paused)


def _hold(rollout: Rollout, observed: Observed, analysis: RolloutAnalysis, now_ms: int) -> Decision:
    """Stay at the step for its time, then go on, or wait for a person."""
    if rollout.paused:
        return Wait("paused")
    if not _works(rollout, observed):
        return Wait(f"version {rollout.challenger} is coming back")
    held_s = _made_so_s(rollout, observed, now_ms)
    if why := hold_reason(rollout, observed):
        return Wait(why)
    if held_s < rollout.hold_s:
        return Wait(f"step {rollout.step} is held for {rollout.hold_s:g} s")
    if not rollout.auto:
        return Wait(f"step {rollout.step} waits for promote")
    return _go_on(rollout, analysis, held_s)


def _go_on(rollout: Rollout, analysis: RolloutAnalysis, held_s: float) -> Decision:
    """Take the next step of an automatic rollout, unless too little was observed of the version."""
    late = held_s >= rollout.hold_s + rollout.limits.evidence_s
    if rollout.step and rollout.step.is_shadow and _unseen(analysis, 1 if late else LEAST_COMPARED):
        return Wait(f"{analysis.numbers['compared']:.0f} texts were compared; {LEAST_COMPARED} are waited for")
    if rollout.plan[rollout.stage].is_full and analysis.labelled and not analysis.shown:
        return _await_labels(rollout, analysis, held_s)
    why = "labels show that it is no worse" if analysis.shown else "nothing spoke against it"
    return _forward(rollout, f"step {rollout.step} was held for {rollout.hold_s:g} s and {why}", analysis)


def _unseen(analysis: RolloutAnalysis, least: int) -> bool:
    """Whether texts came and fewer than `least` of them were compared: a shadow that nobody looked at says nothing."""
    came, compared = analysis.numbers.get("champion_requests", 0), analysis.numbers.get("compared", 0)
    return came >= LEAST_COMPARED and compared < least


def _await_labels(rollout: Rollout, analysis: RolloutAnalysis, held_s: float) -> Decision:
    limits = rollout.limits
    if analysis.labelled < limits.max_labels and held_s < rollout.hold_s + limits.evidence_s:
        return Wait(f"{analysis.labelled} labelled texts do not show yet whether it is worse by {limits.margin:g}")
    reason = (
        f"{analysis.labelled} labelled texts do not show whether version {rollout.challenger} is worse by "
        f"{limits.margin:g}: a person decides, promote or abort"
    )
    return Move(rollout.state, rollout.stage, reason, analysis.numbers, paused=True)


def _name(rollout: Rollout, observed: Observed) -> Decision:
    if not _works(rollout, observed):
        return Wait(f"version {rollout.challenger} is coming back")
    if why := hold_reason(rollout, observed):
        return Wait(why)
    if observed.champion != rollout.challenger:
        return Wait(observed.busy) if observed.busy else NameChampion(rollout.challenger)
    return Move(State.DRAINING, rollout.stage, f"version {rollout.challenger} is the champion")


def _drain(rollout: Rollout, observed: Observed, now_ms: int) -> Decision:
    """Let the champion of before go once late requests are answered: out of the table first, then its application."""
    if why := hold_reason(rollout, observed) or _kept(rollout, observed, now_ms):
        return Wait(why)
    if not _leaves(rollout, observed) and (gone := directed(observed, alone(rollout.challenger))):
        return gone
    app = None if rollout.champion in observed.split.values() else observed.apps.get(rollout.champion)
    if app is not None and app is not AppState.LEAVING:
        return Retire(rollout.champion)
    if observed.challenger == rollout.challenger:
        return Wait(observed.busy) if observed.busy else UnnameChallenger()
    if app is not None:
        return Wait(f"version {rollout.champion} is leaving")
    return Move(State.DONE, rollout.stage, f"version {rollout.challenger} has taken over")


def _kept(rollout: Rollout, observed: Observed, now_ms: int) -> str | None:
    """Return how long the champion of before is still needed, None where it may go."""
    if _leaves(rollout, observed):
        return None
    kept = f"version {rollout.champion} is kept"
    if _made_so_s(rollout, observed, now_ms) < rollout.limits.drain_s:
        return f"{kept} for {rollout.limits.drain_s:g} s"
    return None if _works(rollout, observed) else f"{kept} while version {rollout.challenger} is down"


def _forward(rollout: Rollout, reason: str, analysis: RolloutAnalysis) -> Move:
    stage = rollout.stage + 1
    return Move(_state_of(rollout, stage), stage, reason, analysis.numbers)


def _back(rollout: Rollout, reason: str, analysis: RolloutAnalysis | None = None) -> Move:
    return Move(State.ABORTING, rollout.stage, reason, analysis.numbers if analysis else {})


def _state_of(rollout: Rollout, stage: int) -> State:
    step = rollout.plan[stage - 1]
    return State.FULL if step.is_full else State.SHADOW if step.is_shadow else State.CANARY


def _age_s(rollout: Rollout, now_ms: int) -> float:
    return (now_ms - rollout.since_ms) / 1000


def _made_so_s(rollout: Rollout, observed: Observed, now_ms: int) -> float:
    """How long all gateways that answer have given the shares that the present state and step ask for."""
    return min(_age_s(rollout, now_ms), observed.since_published_s, observed.since_followed_s)
