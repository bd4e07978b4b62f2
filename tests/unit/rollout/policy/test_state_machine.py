from __future__ import annotations

from dataclasses import replace

import pytest

from serve_app.rollout.policy.analysis import RolloutAnalysis
from serve_app.rollout.policy.decisions import (
    CheckVersion,
    NameChampion,
    PublishTable,
    RetireApplication,
    StartApplication,
    UnnameChallenger,
    Wait,
)
from serve_app.rollout.policy.record import Command, State
from serve_app.rollout.policy.shares import Share, all_to, shares_of
from serve_app.rollout.policy.state_machine import CHALLENGER_DOWN_S, after_check
from tests.unit.rollout.courses import DOWN, FAILED, LOADING, RUNNING, STOPPING, after, moved
from tests.unit.rollout.rollouts import HOLD_S, rollout_of


def test_loading_starts_the_challenger_and_moves_on_once_it_runs():
    assert moved(after(rollout_of(State.WAITING), 1, apps={1: RUNNING})) == (State.LOADING, 0)
    loading = rollout_of(State.LOADING)
    assert after(loading, 1, apps={1: RUNNING}) == StartApplication(2)
    assert isinstance(after(loading, 1, apps={1: RUNNING, 2: LOADING}), Wait)
    assert moved(after(loading, 1)) == (State.CHECKING, 0)
    assert after(rollout_of(State.CHECKING), 1) == CheckVersion(2)


def test_a_passed_check_leads_to_the_first_step_of_the_plan():
    assert moved(after_check(rollout_of(State.CHECKING), {})) == (State.SHADOW, 1)
    assert moved(after_check(rollout_of(State.CHECKING, request={"plan": "10,100"}), {})) == (State.CANARY, 1)
    assert moved(after_check(rollout_of(State.CHECKING, request={"plan": "100"}), {})) == (State.FULL, 1)


def test_each_step_gives_its_share_and_the_champion_the_rest():
    rollout = rollout_of(State.SHADOW, 1)
    assert shares_of(rollout) == (Share(1, 1.0), Share(2, 0.0, 0.25))
    assert shares_of(rollout_of(State.CANARY, 3)) == (Share(1, 0.9), Share(2, 0.1, 0.25))
    assert shares_of(rollout_of(State.FULL, 5)) == (Share(1, 0.0), Share(2, 1.0))
    assert shares_of(rollout_of(State.ABORTING, 3)) == all_to(1)


def test_what_a_step_asks_for_is_made_so_before_anything_else():
    rollout = rollout_of(State.CANARY, 3, request={"auto": True})
    expected = PublishTable(shares_of(rollout), rollout.id, 3)
    assert after(rollout, 1e4, shares=all_to(1), rollout=None, stage=0) == expected
    assert after(rollout, 1e4, stage=2) == expected


def test_a_step_of_an_automatic_rollout_is_held_and_then_left():
    shadow = rollout_of(State.SHADOW, 1, request={"auto": True})
    assert isinstance(after(shadow, HOLD_S - 1), Wait)
    assert isinstance(after(shadow, HOLD_S + 1, since_published_s=3.0), Wait)  # a controller that has just started
    move = after(shadow, HOLD_S + 1)
    assert moved(move) == (State.CANARY, 2)
    assert "no limit was exceeded" in move.reason
    assert move.numbers == {"compared": 5}
    assert moved(after(rollout_of(State.CANARY, 4, request={"auto": True}), HOLD_S + 1)) == (State.FULL, 5)


def test_an_automatic_rollout_does_not_leave_a_shadow_that_nobody_looked_at():
    shadow = rollout_of(State.SHADOW, 1, request={"auto": True})
    unseen = RolloutAnalysis(None, is_no_worse=False, labelled=0, numbers={"champion_requests": 500, "compared": 499})
    assert isinstance(after(shadow, HOLD_S + 1, unseen), Wait)
    nobody = replace(unseen, numbers={"champion_requests": 500, "compared": 0})
    assert isinstance(after(shadow, 1e6, nobody), Wait)
    enough = replace(unseen, numbers={"champion_requests": 900, "compared": 500})
    assert moved(after(shadow, HOLD_S + 1, enough))[1] == 2
    few_came = replace(unseen, numbers={"champion_requests": 499, "compared": 0})
    assert moved(after(shadow, HOLD_S + 1, few_came))[1] == 2
    assert moved(after(rollout_of(State.CANARY, 2, request={"auto": True}), HOLD_S + 1, unseen))[1] == 3


def test_the_shadow_of_a_platform_with_few_texts_ends_with_the_time_for_evidence():
    shadow = rollout_of(State.SHADOW, 1, request={"auto": True}, settings={"rollouts_evidence_s": 600})
    few = RolloutAnalysis(None, is_no_worse=False, labelled=0, numbers={"champion_requests": 900, "compared": 225})
    waits = after(shadow, HOLD_S + 599, few)
    assert waits == Wait("225 texts were compared in shadow; 500 are needed")
    assert moved(after(shadow, HOLD_S + 601, few)) == (State.CANARY, 2)


def test_a_step_of_a_rollout_by_hand_waits_for_promote():
    shadow = rollout_of(State.SHADOW, 1)
    assert after(shadow, 1e6) == Wait("step shadow waits for promote")
    assert moved(after(shadow.model_copy(update={"asked": Command.PROMOTE}), 1)) == (State.CANARY, 2)


def test_where_labels_flow_the_last_step_waits_for_them_to_show_that_it_is_no_worse():
    before = rollout_of(State.CANARY, 4, request={"auto": True})
    undecided = RolloutAnalysis(None, is_no_worse=False, labelled=300, numbers={})
    assert isinstance(after(before, HOLD_S + 1, undecided), Wait)
    assert moved(after(before, HOLD_S + 1, replace(undecided, is_no_worse=True))) == (State.FULL, 5)
    assert moved(after(rollout_of(State.CANARY, 3, request={"auto": True}), HOLD_S + 1, undecided)) == (State.CANARY, 4)


@pytest.mark.parametrize(("labelled", "seconds"), [(10_000, HOLD_S + 1), (300, HOLD_S + 3601)])
def test_labels_that_do_not_decide_in_time_leave_it_to_a_person(labelled, seconds):
    before = rollout_of(State.CANARY, 4, request={"auto": True})
    move = after(before, seconds, RolloutAnalysis(None, is_no_worse=False, labelled=labelled, numbers={}))
    assert moved(move) == (State.CANARY, 4)
    assert move.paused
    assert "promote or abort it yourself" in move.reason


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
    verdict = RolloutAnalysis("it is worse", is_no_worse=False, labelled=90, numbers={"labelled": 90})
    move = after(rollout_of(state, stage, paused=paused), 1, verdict)
    assert (moved(move), move.reason, move.numbers) == ((State.ABORTING, stage), "it is worse", {"labelled": 90})


def test_a_version_that_does_not_load_ends_the_rollout_with_the_reason():
    failed = after(
        rollout_of(State.LOADING), 1, apps={1: RUNNING, 2: FAILED}, messages={2: "model.int8.onnx is missing"}
    )
    assert moved(failed) == (State.ABORTING, 0)
    assert failed.reason == "version 2 does not load: model.int8.onnx is missing"


def test_a_version_that_does_not_load_and_of_which_serve_says_nothing_ends_the_rollout_with_that_as_the_reason():
    failed = after(rollout_of(State.LOADING), 1, apps={1: RUNNING, 2: FAILED}, messages={1: "", 2: ""})
    assert failed.reason == "version 2 does not load: Serve gives no reason"


def test_a_version_that_hangs_at_load_ends_the_rollout_after_its_time_limit():
    loading = rollout_of(State.LOADING, settings={"rollouts_load_s": 20})
    assert isinstance(after(loading, 19, apps={1: RUNNING, 2: LOADING}), Wait)
    late = after(loading, 21, apps={1: RUNNING, 2: LOADING})
    assert (moved(late), late.reason) == ((State.ABORTING, 0), "version 2 did not load within 20 s")


def test_a_version_that_does_not_answer_its_check_ends_the_rollout_after_its_time_limit():
    checking = rollout_of(State.CHECKING, settings={"rollouts_load_s": 20})
    assert after(checking, 19) == CheckVersion(2)
    assert "did not pass its self-check within 20 s" in after(checking, 21).reason


def test_a_challenger_without_a_working_replica_may_come_back_for_a_while():
    canary = rollout_of(State.CANARY, 3)
    assert isinstance(after(canary, 1, apps={1: RUNNING, 2: DOWN}, challenger_down_s=CHALLENGER_DOWN_S - 1), Wait)
    automatic = rollout_of(State.CANARY, 4, request={"auto": True})
    assert after(automatic, HOLD_S + 1, apps={1: RUNNING, 2: DOWN}) == Wait(
        "version 2 has no healthy replica; Serve is replacing it"
    )
    assert after(rollout_of(State.FULL, 5), 1, apps={1: RUNNING, 2: DOWN}) == Wait(
        "version 2 has no healthy replica; Serve is replacing it"
    )
    gone = after(canary, 1, apps={1: RUNNING, 2: DOWN}, challenger_down_s=CHALLENGER_DOWN_S + 1)
    assert moved(gone) == (State.ABORTING, 3)
    assert "no healthy replica" in gone.reason


def test_after_the_whole_platform_was_started_again_both_versions_are():
    canary = rollout_of(State.CANARY, 3)
    assert after(canary, 1, apps={}) == StartApplication(1)
    assert after(canary, 1, apps={1: LOADING}) == StartApplication(2)


def test_full_moves_the_alias_and_drains_the_champion_of_before():
    full = rollout_of(State.FULL, 5)
    assert after(full, 1, shares=all_to(1), rollout=None) == PublishTable(shares_of(full), full.id, 5)
    assert after(full, 1) == NameChampion(2)
    assert moved(after(full, 1, champion=2)) == (State.DRAINING, 5)
    draining = rollout_of(State.DRAINING, 5)
    assert isinstance(after(draining, 29), Wait)
    assert after(draining, 31) == PublishTable(all_to(2))
    gone = {"shares": all_to(2), "rollout": None, "stage": 0, "challenger": 2}
    assert after(draining, 31, **gone) == RetireApplication(1)
    assert after(draining, 31, apps={1: STOPPING, 2: RUNNING}, **gone) == UnnameChallenger()
    gone["challenger"] = None
    assert isinstance(after(draining, 31, apps={1: STOPPING, 2: RUNNING}, **gone), Wait)
    assert moved(after(draining, 31, apps={2: RUNNING}, **gone)) == (State.DONE, 5)
