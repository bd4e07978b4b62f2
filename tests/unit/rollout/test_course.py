from __future__ import annotations

from dataclasses import replace

import pytest

from serve_app.rollout.course import UNWELL_ALONE_S, UNWELL_S, checked, next_step
from serve_app.rollout.judgement import Judgement
from serve_app.rollout.policy import (
    AppState,
    Check,
    Move,
    NameChampion,
    Observed,
    Publish,
    Retire,
    Start,
    UnnameChallenger,
    Wait,
)
from serve_app.rollout.record import Command, Rollout, State
from serve_app.rollout.shares import Share, alone, shares_of
from tests.unit.rollout.rollouts import HOLD_S, START_MS, rollout_of

RUNNING, LOADING, FAILED, LEAVING, DOWN = (
    AppState.RUNNING,
    AppState.LOADING,
    AppState.FAILED,
    AppState.LEAVING,
    AppState.DOWN,
)
FINE = Judgement(None, shown=False, labelled=0, numbers={"compared": 5})
BOTH = {1: RUNNING, 2: RUNNING}


def seen_of(rollout: Rollout, /, apps=None, **changes) -> Observed:
    """Return what is seen when all that the rollout's state asks for is made so."""
    follows = rollout.stage > 0 and rollout.state is not State.ABORTING
    observed = Observed(
        champion=2 if rollout.state is State.DRAINING else 1,
        shares=shares_of(rollout),
        apps=BOTH if apps is None else apps,
        since_published_s=1e6,
        since_failed_s=0.0,
        rollout=rollout.id if follows else None,
        stage=rollout.stage if follows else 0,
    )
    return replace(observed, **changes)


def after(rollout: Rollout, seconds: float, judged: Judgement = FINE, /, **seen):
    return next_step(rollout, seen_of(rollout, **seen), judged, START_MS + int(seconds * 1000))


def moved(decision) -> tuple[State, int]:
    assert isinstance(decision, Move), decision
    return decision.state, decision.stage


def test_loading_starts_the_challenger_and_moves_on_once_it_runs():
    assert moved(after(rollout_of(State.WAITING), 1, apps={1: RUNNING})) == (State.LOADING, 0)
    loading = rollout_of(State.LOADING)
    assert after(loading, 1, apps={1: RUNNING}) == Start(2)
    assert isinstance(after(loading, 1, apps={1: RUNNING, 2: LOADING}), Wait)
    assert moved(after(loading, 1)) == (State.CHECKING, 0)
    assert after(rollout_of(State.CHECKING), 1) == Check(2)


def test_a_passed_check_leads_to_the_first_step_of_the_plan():
    assert moved(checked(rollout_of(State.CHECKING), {})) == (State.SHADOW, 1)
    assert moved(checked(rollout_of(State.CHECKING, request={"plan": "10,100"}), {})) == (State.CANARY, 1)
    assert moved(checked(rollout_of(State.CHECKING, request={"plan": "100"}), {})) == (State.FULL, 1)


def test_each_step_gives_its_share_and_the_champion_the_rest():
    rollout = rollout_of(State.SHADOW, 1)
    assert shares_of(rollout) == (Share(1, 1.0), Share(2, 0.0, 0.25))
    assert shares_of(rollout_of(State.CANARY, 3)) == (Share(1, 0.9), Share(2, 0.1, 0.25))
    assert shares_of(rollout_of(State.FULL, 5)) == (Share(1, 0.0), Share(2, 1.0))
    assert shares_of(rollout_of(State.ABORTING, 3)) == alone(1)


def test_what_a_step_asks_for_is_made_so_before_anything_else():
    rollout = rollout_of(State.CANARY, 3, request={"auto": True})
    expected = Publish(shares_of(rollout), rollout.id, 3)
    assert after(rollout, 1e4, shares=alone(1), rollout=None, stage=0) == expected
    assert after(rollout, 1e4, stage=2) == expected


def test_a_step_of_an_automatic_rollout_is_held_and_then_left():
    shadow = rollout_of(State.SHADOW, 1, request={"auto": True})
    assert isinstance(after(shadow, HOLD_S - 1), Wait)
    assert isinstance(after(shadow, HOLD_S + 1, since_published_s=3.0), Wait)  # a controller that has just started
    move = after(shadow, HOLD_S + 1)
    assert moved(move) == (State.CANARY, 2)
    assert "nothing spoke against it" in move.reason
    assert move.numbers == {"compared": 5}
    assert moved(after(rollout_of(State.CANARY, 4, request={"auto": True}), HOLD_S + 1)) == (State.FULL, 5)


def test_an_automatic_rollout_does_not_leave_a_shadow_that_nobody_looked_at():
    shadow = rollout_of(State.SHADOW, 1, request={"auto": True})
    unseen = Judgement(None, shown=False, labelled=0, numbers={"champion_requests": 500, "compared": 499})
    assert isinstance(after(shadow, 1e4, unseen), Wait)
    assert moved(after(shadow, 1e4, replace(unseen, numbers={"champion_requests": 900, "compared": 500})))[1] == 2
    assert moved(after(shadow, 1e4, replace(unseen, numbers={"champion_requests": 499, "compared": 0})))[1] == 2
    assert moved(after(rollout_of(State.CANARY, 2, request={"auto": True}), 1e4, unseen))[1] == 3


def test_a_step_of_a_rollout_by_hand_waits_for_promote():
    shadow = rollout_of(State.SHADOW, 1)
    assert after(shadow, 1e6) == Wait("step shadow waits for promote")
    assert moved(after(shadow.model_copy(update={"asked": Command.PROMOTE}), 1)) == (State.CANARY, 2)


def test_where_labels_flow_the_last_step_waits_for_them_to_show_that_it_is_no_worse():
    before = rollout_of(State.CANARY, 4, request={"auto": True})
    undecided = Judgement(None, shown=False, labelled=300, numbers={})
    assert isinstance(after(before, HOLD_S + 1, undecided), Wait)
    assert moved(after(before, HOLD_S + 1, replace(undecided, shown=True))) == (State.FULL, 5)
    assert moved(after(rollout_of(State.CANARY, 3, request={"auto": True}), HOLD_S + 1, undecided)) == (State.CANARY, 4)


@pytest.mark.parametrize(("labelled", "seconds"), [(10_000, HOLD_S + 1), (300, HOLD_S + 3601)])
def test_labels_that_do_not_decide_in_time_leave_it_to_a_person(labelled, seconds):
    before = rollout_of(State.CANARY, 4, request={"auto": True})
    move = after(before, seconds, Judgement(None, shown=False, labelled=labelled, numbers={}))
    assert moved(move) == (State.CANARY, 4)
    assert move.paused
    assert "a person decides" in move.reason


def test_a_paused_rollout_stays_until_it_is_asked_to_go_on():
    shadow = rollout_of(State.SHADOW, 1, request={"auto": True})
    paused = after(shadow.model_copy(update={"asked": Command.PAUSE}), 1)
    assert (moved(paused), paused.paused) == ((State.SHADOW, 1), True)
    shadow = shadow.model_copy(update={"paused": True})
    assert after(shadow, 1e6) == Wait("paused")
    resumed = after(shadow.model_copy(update={"asked": Command.RESUME}), 1)
    assert (moved(resumed), resumed.paused) == ((State.SHADOW, 1), False)


@pytest.mark.parametrize(
    "rollout",
    [
        rollout_of(State.WAITING),
        rollout_of(State.LOADING),
        rollout_of(State.CHECKING),
        rollout_of(State.SHADOW, 1),
        rollout_of(State.CANARY, 3),
        rollout_of(State.CANARY, 3, paused=True),
        rollout_of(State.FULL, 5),
        rollout_of(State.DRAINING, 5),
    ],
    ids=lambda rollout: rollout.state,
)
def test_abort_goes_back_from_every_state(rollout):
    assert moved(after(rollout.model_copy(update={"asked": Command.ABORT}), 1)) == (State.ABORTING, rollout.stage)


@pytest.mark.parametrize("paused", [True, False])
@pytest.mark.parametrize(
    ("state", "stage"), [(State.SHADOW, 1), (State.CANARY, 3), (State.FULL, 5), (State.DRAINING, 5)]
)
def test_a_verdict_against_the_challenger_goes_back_at_every_step_whether_paused_or_not(state, stage, paused):
    verdict = Judgement("it is worse", shown=False, labelled=90, numbers={"labelled": 90})
    move = after(rollout_of(state, stage, paused=paused), 1, verdict)
    assert (moved(move), move.reason, move.numbers) == ((State.ABORTING, stage), "it is worse", {"labelled": 90})


def test_a_version_that_does_not_load_ends_the_rollout_with_the_reason():
    failed = after(
        rollout_of(State.LOADING), 1, apps={1: RUNNING, 2: FAILED}, messages={2: "model.int8.onnx is missing"}
    )
    assert moved(failed) == (State.ABORTING, 0)
    assert failed.reason == "version 2 does not load: model.int8.onnx is missing"


def test_a_version_that_hangs_at_load_ends_the_rollout_after_its_time_limit():
    loading = rollout_of(State.LOADING, settings={"rollouts_load_s": 20})
    assert isinstance(after(loading, 19, apps={1: RUNNING, 2: LOADING}), Wait)
    late = after(loading, 21, apps={1: RUNNING, 2: LOADING})
    assert (moved(late), late.reason) == ((State.ABORTING, 0), "version 2 did not load within 20 s")


def test_a_version_that_does_not_answer_its_check_ends_the_rollout_after_its_time_limit():
    checking = rollout_of(State.CHECKING, settings={"rollouts_load_s": 20})
    assert after(checking, 19) == Check(2)
    assert "did not answer its known texts within 20 s" in after(checking, 21).reason


def test_a_challenger_without_a_working_replica_may_come_back_for_a_while():
    canary = rollout_of(State.CANARY, 3)
    assert isinstance(after(canary, 1, apps={1: RUNNING, 2: DOWN}, since_well_s=UNWELL_S - 1), Wait)
    automatic = rollout_of(State.CANARY, 4, request={"auto": True})
    assert after(automatic, HOLD_S + 1, apps={1: RUNNING, 2: DOWN}) == Wait("version 2 is coming back")
    assert after(rollout_of(State.FULL, 5), 1, apps={1: RUNNING, 2: DOWN}) == Wait("version 2 is coming back")
    gone = after(canary, 1, apps={1: RUNNING, 2: DOWN}, since_well_s=UNWELL_S + 1)
    assert moved(gone) == (State.ABORTING, 3)
    assert "no working replica" in gone.reason


def test_after_the_whole_platform_was_started_again_both_versions_are():
    canary = rollout_of(State.CANARY, 3)
    assert after(canary, 1, apps={}) == Start(1)
    assert after(canary, 1, apps={1: LOADING}) == Start(2)


def test_full_moves_the_alias_and_drains_the_champion_of_before():
    full = rollout_of(State.FULL, 5)
    assert after(full, 1, shares=alone(1), rollout=None) == Publish(shares_of(full), full.id, 5)
    assert after(full, 1) == NameChampion(2)
    assert moved(after(full, 1, champion=2)) == (State.DRAINING, 5)
    draining = rollout_of(State.DRAINING, 5)
    assert isinstance(after(draining, 29), Wait)
    assert after(draining, 31) == Publish(alone(2))
    gone = {"shares": alone(2), "rollout": None, "stage": 0, "challenger": 2}
    assert after(draining, 31, **gone) == Retire(1)
    assert after(draining, 31, apps={1: LEAVING, 2: RUNNING}, **gone) == UnnameChallenger()
    gone["challenger"] = None
    assert isinstance(after(draining, 31, apps={1: LEAVING, 2: RUNNING}, **gone), Wait)
    assert moved(after(draining, 31, apps={2: RUNNING}, **gone)) == (State.DONE, 5)


def test_aborting_gives_the_champion_everything_and_leaves_nothing_of_the_challenger():
    aborting = rollout_of(State.ABORTING, 3)
    canary = {"shares": (Share(1, 0.9), Share(2, 0.1)), "rollout": aborting.id, "stage": 3}
    assert after(aborting, 1, **canary) == Publish(alone(1))
    assert after(aborting, 1, apps={1: DOWN, 2: RUNNING}, **canary) == Publish(alone(1))
    assert isinstance(after(aborting, 1, since_published_s=5.0), Wait)
    assert after(aborting, 1, since_published_s=31.0) == Retire(2)
    assert after(aborting, 1, since_published_s=5.0, apps={1: RUNNING, 2: FAILED}) == Retire(2)
    assert isinstance(after(aborting, 1, apps={1: RUNNING, 2: LEAVING}), Wait)
    assert after(aborting, 1, apps={1: RUNNING}, challenger=2) == UnnameChallenger()
    assert moved(after(aborting, 1, apps={1: RUNNING})) == (State.ABORTED, 3)


def test_a_challenger_that_never_had_traffic_ends_without_a_drain():
    assert after(rollout_of(State.ABORTING, 0), 1, since_published_s=0.0) == Retire(2)


def test_aborting_after_the_alias_has_moved_moves_it_back():
    assert after(rollout_of(State.ABORTING, 5), 1, champion=2) == NameChampion(1)


def test_aborting_while_the_champion_of_before_leaves_brings_it_up_again_first():
    aborting = rollout_of(State.ABORTING, 5)
    challengers = {"shares": alone(2), "rollout": None, "champion": 2}
    assert isinstance(after(aborting, 1, apps={1: LEAVING, 2: RUNNING}, **challengers), Wait)
    assert after(aborting, 1, apps={2: RUNNING}, **challengers) == Start(1)
    assert isinstance(after(aborting, 1, apps={1: LOADING, 2: RUNNING}, **challengers), Wait)
    assert after(aborting, 1, **challengers) == Publish(alone(1))


def test_without_room_a_rollout_waits_and_says_so_or_swaps_in_place_when_told():
    lack = "version 2 needs 1 GPU, 0 are free"
    waiting = after(rollout_of(State.WAITING), 1e6, apps={1: RUNNING}, no_room=lack)
    assert isinstance(waiting, Wait)
    assert lack in waiting.reason
    in_place = rollout_of(State.WAITING, request={"in_place": True})
    move = after(in_place, 1, apps={1: RUNNING}, no_room=lack)
    assert (moved(move), move.swapped) == ((State.LOADING, 0), True)
    assert after(in_place, 1, apps={1: RUNNING}).swapped is None  # there is room after all


def test_in_place_the_champion_ends_before_the_challenger_loads_and_comes_back_if_that_fails():
    swapping = rollout_of(State.LOADING, request={"in_place": True}, swapped=True)
    assert after(swapping, 1, apps={1: RUNNING}) == Retire(1)
    assert isinstance(after(swapping, 1, apps={1: LEAVING}), Wait)
    assert after(swapping, 1, apps={}) == Start(2)
    assert moved(after(swapping, 1, apps={2: RUNNING})) == (State.CHECKING, 0)
    assert moved(checked(swapping, {})) == (State.FULL, 5)
    assert shares_of(rollout_of(State.FULL, 5, swapped=True)) == alone(2)
    aborting = rollout_of(State.ABORTING, 0, swapped=True)
    assert after(aborting, 1, apps={2: FAILED}) == Retire(2)
    assert after(aborting, 1, apps={}) == Start(1)
    assert moved(after(aborting, 1, apps={1: RUNNING})) == (State.ABORTED, 0)


def test_a_swapped_rollout_that_goes_back_makes_room_for_the_champion_first():
    aborting = rollout_of(State.ABORTING, 5, swapped=True)
    full = {"shares": alone(2), "champion": 2}
    assert after(aborting, 1, apps={2: RUNNING}, **full) == Retire(2)
    assert isinstance(after(aborting, 1, apps={2: LEAVING}, **full), Wait)
    assert after(aborting, 1, apps={}, **full) == Start(1)
    assert after(aborting, 1, apps={1: RUNNING}, **full) == Publish(alone(1))


def test_a_challenger_without_a_replica_gets_no_more_traffic_whoever_asks():
    down, canary = {1: RUNNING, 2: DOWN}, rollout_of(State.CANARY, 4, asked=Command.PROMOTE)
    stays = after(canary, 1, apps=down)
    assert moved(stays) == (State.CANARY, 4)
    assert "no working replica" in stays.reason
    assert moved(after(canary, 1)) == (State.FULL, 5)
    by_hand = after(rollout_of(State.CANARY, 4), 1, apps=down, champion=2)
    assert not isinstance(by_hand, Move)


def test_the_champion_is_kept_while_the_challenger_is_down_and_gets_its_traffic_back_soon():
    draining, down = rollout_of(State.DRAINING, 5), {1: RUNNING, 2: DOWN}
    waits = after(draining, 1e6, apps=down)
    assert isinstance(waits, Wait)
    assert "while version 2 is down" in waits.reason
    for state in (State.FULL, State.DRAINING):
        late = after(rollout_of(state, 5), 1e3, apps=down, since_well_s=UNWELL_ALONE_S + 1)
        assert moved(late) == (State.ABORTING, 5)
    still = after(rollout_of(State.CANARY, 4), 1, apps=down, since_well_s=UNWELL_ALONE_S + 1)
    assert not isinstance(still, Move)


def test_a_pause_before_the_first_step_holds_the_rollout_there():
    assert after(rollout_of(State.LOADING, paused=True), 1).paused
    assert checked(rollout_of(State.CHECKING, paused=True), {}).paused
    assert after(rollout_of(State.CHECKING, paused=True), 1e6) == Wait("paused")


def test_the_fixed_split_outlives_the_end_of_a_rollout():
    draining, split = rollout_of(State.DRAINING, 5), {"a": 1, "c": 3}
    apps = {**BOTH, 3: RUNNING}
    shares = (Share(2, 1.0), Share(1, 0.0), Share(3, 0.0))
    in_force = {"split": split, "table_split": split, "shares": (*shares_of(draining), Share(3, 0.0))}
    assert after(draining, 1e6, apps=apps, **in_force) == Publish(shares, split=split)
    left = {"split": split, "table_split": split, "shares": shares, "rollout": None}
    assert moved(after(draining, 1e6, apps=apps, **left)) == (State.DONE, 5)


def test_an_alias_moved_by_hand_is_followed():
    canary = rollout_of(State.CANARY, 3)
    assert moved(after(canary, 1, champion=2)) == (State.FULL, 5)
    third = after(canary, 1, champion=3)
    assert (moved(third), third.reason) == ((State.ABORTING, 3), "the alias champion was moved to version 3 by hand")
    assert moved(after(rollout_of(State.DRAINING, 5), 1, champion=1)) == (State.ABORTING, 5)
    assert isinstance(after(rollout_of(State.LOADING), 1, champion=2, apps={1: RUNNING, 2: LOADING}), Wait)


def test_while_the_registry_is_away_the_rollout_goes_on():
    canary = rollout_of(State.CANARY, 3, request={"auto": True})
    assert moved(after(canary, HOLD_S + 1, champion=None)) == (State.CANARY, 4)


def test_a_fixed_split_stays_beside_a_rollout_except_for_a_challenger_that_goes_back():
    canary, split = rollout_of(State.CANARY, 3), {"b": 2, "c": 3}
    apps = {**BOTH, 3: RUNNING}
    beside = Publish((*shares_of(canary), Share(3, 0.0)), canary.id, 3, split)
    assert after(canary, 1, apps=apps, split=split) == beside
    aborting = rollout_of(State.ABORTING, 3)
    assert after(aborting, 1, apps=apps, split=split) == Publish((Share(1, 1.0), Share(3, 0.0)), split=split)
