"""The ways back, and what else may happen on the way: room, aliases moved by hand, the fixed split."""

from __future__ import annotations

from serve_app.rollout.policy.decisions import (
    NameChampion,
    PublishTable,
    RetireApplication,
    StartApplication,
    Transition,
    UnnameChallenger,
    Wait,
)
from serve_app.rollout.policy.record import Command, State
from serve_app.rollout.policy.shares import Share, all_to, shares_of
from serve_app.rollout.policy.state_machine import CHALLENGER_DOWN_ALONE_S, after_check
from tests.unit.rollout.courses import BOTH, DOWN, FAILED, LOADING, RUNNING, STOPPING, after, moved
from tests.unit.rollout.rollouts import HOLD_S, rollout_of


def test_aborting_gives_the_champion_everything_and_leaves_nothing_of_the_challenger():
    aborting = rollout_of(State.ABORTING, 3)
    canary = {"shares": (Share(1, 0.9), Share(2, 0.1)), "rollout": aborting.id, "stage": 3}
    assert after(aborting, 1, **canary) == PublishTable(all_to(1))
    assert after(aborting, 1, apps={1: DOWN, 2: RUNNING}, **canary) == PublishTable(all_to(1))
    assert isinstance(after(aborting, 1, since_published_s=5.0), Wait)
    assert after(aborting, 1, since_published_s=31.0) == RetireApplication(2)
    assert after(aborting, 1, since_published_s=5.0, apps={1: RUNNING, 2: FAILED}) == RetireApplication(2)
    assert isinstance(after(aborting, 1, apps={1: RUNNING, 2: STOPPING}), Wait)
    assert after(aborting, 1, apps={1: RUNNING}, challenger=2) == UnnameChallenger()
    assert moved(after(aborting, 1, apps={1: RUNNING})) == (State.ABORTED, 3)


def test_a_challenger_that_never_had_traffic_ends_without_a_drain():
    assert after(rollout_of(State.ABORTING, 0), 1, since_published_s=0.0) == RetireApplication(2)


def test_aborting_after_the_alias_has_moved_moves_it_back():
    assert after(rollout_of(State.ABORTING, 5), 1, champion=2) == NameChampion(1)


def test_aborting_while_the_champion_of_before_leaves_brings_it_up_again_first():
    aborting = rollout_of(State.ABORTING, 5)
    challengers = {"shares": all_to(2), "rollout": None, "champion": 2}
    assert isinstance(after(aborting, 1, apps={1: STOPPING, 2: RUNNING}, **challengers), Wait)
    assert after(aborting, 1, apps={2: RUNNING}, **challengers) == StartApplication(1)
    assert isinstance(after(aborting, 1, apps={1: LOADING, 2: RUNNING}, **challengers), Wait)
    assert after(aborting, 1, **challengers) == PublishTable(all_to(1))


def test_without_room_a_rollout_waits_and_says_so_or_swaps_in_place_when_told():
    lack = "version 2 needs 1 GPU, 0 are free"
    waiting = after(rollout_of(State.WAITING), 1e6, apps={1: RUNNING}, no_room=lack)
    assert isinstance(waiting, Wait)
    assert lack in waiting.reason
    in_place = rollout_of(State.WAITING, request={"in_place": True})
    move = after(in_place, 1, apps={1: RUNNING}, no_room=lack)
    assert (moved(move), move.swapped) == ((State.LOADING, 0), True)
    assert after(in_place, 1, apps={1: RUNNING}).swapped is None  # there is room after all


def test_a_version_that_loads_for_the_fixed_split_costs_the_champion_no_room():
    lack, loading = "version 2 needs 1 GPU", {1: RUNNING, 2: LOADING}
    in_place = rollout_of(State.WAITING, request={"in_place": True}, settings={"rollouts_load_s": 60})
    assert isinstance(after(in_place, 59, apps=loading, no_room=lack), Wait)
    assert after(in_place, 61, apps=loading, no_room=lack).swapped


def test_in_place_the_champion_ends_before_the_challenger_loads_and_comes_back_if_that_fails():
    swapping = rollout_of(State.LOADING, request={"in_place": True}, swapped=True)
    assert after(swapping, 1, apps={1: RUNNING}) == RetireApplication(1)
    assert isinstance(after(swapping, 1, apps={1: STOPPING}), Wait)
    assert after(swapping, 1, apps={}) == StartApplication(2)
    assert moved(after(swapping, 1, apps={2: RUNNING})) == (State.CHECKING, 0)
    assert moved(after_check(swapping, {})) == (State.FULL, 5)
    assert shares_of(rollout_of(State.FULL, 5, swapped=True)) == all_to(2)
    aborting = rollout_of(State.ABORTING, 0, swapped=True)
    assert after(aborting, 1, apps={2: FAILED}) == RetireApplication(2)
    assert after(aborting, 1, apps={}) == StartApplication(1)
    assert moved(after(aborting, 1, apps={1: RUNNING})) == (State.ABORTED, 0)


def test_going_back_the_champion_is_loaded_before_anything_that_needs_the_registry():
    aborting = rollout_of(State.ABORTING, 0, swapped=True)
    assert after(aborting, 1, apps={}, challenger=2) == StartApplication(1)
    assert isinstance(after(aborting, 1, apps={1: LOADING}, challenger=2), Wait)
    assert after(aborting, 1, apps={1: RUNNING}, challenger=2) == UnnameChallenger()
    assert after(rollout_of(State.ABORTING, 5), 1, apps={}, champion=2) == StartApplication(1)


def test_a_swapped_rollout_that_goes_back_makes_room_for_the_champion_first():
    aborting = rollout_of(State.ABORTING, 5, swapped=True)
    full = {"shares": all_to(2), "champion": 2}
    assert after(aborting, 1, apps={2: RUNNING}, **full) == RetireApplication(2)
    assert isinstance(after(aborting, 1, apps={2: STOPPING}, **full), Wait)
    assert after(aborting, 1, apps={}, **full) == StartApplication(1)
    assert after(aborting, 1, apps={1: RUNNING}, **full) == PublishTable(all_to(1))


def test_a_challenger_without_a_replica_gets_no_more_traffic_whoever_asks():
    down, canary = {1: RUNNING, 2: DOWN}, rollout_of(State.CANARY, 4, asked=Command.PROMOTE)
    stays = after(canary, 1, apps=down)
    assert moved(stays) == (State.CANARY, 4)
    assert "no healthy replica" in stays.reason
    assert moved(after(canary, 1)) == (State.FULL, 5)
    by_hand = after(rollout_of(State.CANARY, 4), 1, apps=down, champion=2)
    assert not isinstance(by_hand, Transition)


def test_the_champion_is_kept_while_the_challenger_is_down_and_gets_its_traffic_back_soon():
    draining, down = rollout_of(State.DRAINING, 5), {1: RUNNING, 2: DOWN}
    waits = after(draining, 1e6, apps=down)
    assert isinstance(waits, Wait)
    assert "while version 2 is down" in waits.reason
    for state in (State.FULL, State.DRAINING):
        late = after(rollout_of(state, 5), 1e3, apps=down, challenger_down_s=CHALLENGER_DOWN_ALONE_S + 1)
        assert moved(late) == (State.ABORTING, 5)
    still = after(rollout_of(State.CANARY, 4), 1, apps=down, challenger_down_s=CHALLENGER_DOWN_ALONE_S + 1)
    assert not isinstance(still, Transition)


def test_a_pause_before_the_first_step_holds_the_rollout_there():
    assert after(rollout_of(State.LOADING, paused=True), 1).paused
    assert after_check(rollout_of(State.CHECKING, paused=True), {}).paused
    assert after(rollout_of(State.CHECKING, paused=True), 1e6) == Wait("paused")


def test_the_fixed_split_outlives_the_end_of_a_rollout():
    draining, split = rollout_of(State.DRAINING, 5), {"a": 1, "c": 3}
    apps = {**BOTH, 3: RUNNING}
    shares = (Share(2, 1.0), Share(1, 0.0), Share(3, 0.0))
    in_force = {"split": split, "table_split": split, "shares": (*shares_of(draining), Share(3, 0.0))}
    assert after(draining, 1e6, apps=apps, **in_force) == PublishTable(shares, split=split)
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
    beside = PublishTable((*shares_of(canary), Share(3, 0.0)), canary.id, 3, split)
    assert after(canary, 1, apps=apps, split=split) == beside
    aborting = rollout_of(State.ABORTING, 3)
    assert after(aborting, 1, apps=apps, split=split) == PublishTable((Share(1, 1.0), Share(3, 0.0)), split=split)
