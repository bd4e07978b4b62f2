from __future__ import annotations

import pytest

from serve_app.rollout.policy.decisions import (
    RETRY_AFTER_S,
    AppState,
    BeginRollout,
    LoadFailure,
    ObservedState,
    PublishTable,
    RetireApplication,
    StartApplication,
    Wait,
)
from serve_app.rollout.policy.shares import Share, all_to
from serve_app.rollout.policy.steady import RETIRE_AFTER_S, decide

RUNNING, LOADING, FAILED, STOPPING = AppState.RUNNING, AppState.LOADING, AppState.FAILED, AppState.STOPPING


def seen(champion=None, serving=None, apps=None, published=0.0, failed=0.0, **more) -> ObservedState:
    return ObservedState(champion, all_to(serving) if serving else (), apps or {}, published, failed, **more)


@pytest.mark.parametrize(
    ("observed", "decision"),
    [
        (seen(champion=1), StartApplication(1)),
        (seen(champion=1, apps={1: RUNNING}), PublishTable(all_to(1))),
        (seen(champion=2, serving=1, apps={1: RUNNING}), StartApplication(2)),
        (seen(champion=2, serving=1, apps={1: RUNNING, 2: RUNNING}), PublishTable(all_to(2))),
        (seen(champion=2, serving=2, apps={1: RUNNING, 2: RUNNING}, published=RETIRE_AFTER_S), RetireApplication(1)),
        (seen(champion=None, serving=3), StartApplication(3)),
        (seen(champion=2, serving=1, apps={1: RUNNING, 2: FAILED}, failed=RETRY_AFTER_S), RetireApplication(2)),
    ],
)
def test_each_state_has_its_one_next_step(observed, decision):
    assert decide(observed) == decision


@pytest.mark.parametrize(
    "observed",
    [
        seen(),
        seen(champion=1, apps={1: LOADING}),
        seen(champion=1, apps={1: STOPPING}),
        seen(champion=1, serving=1, apps={1: RUNNING}),
        seen(champion=2, serving=2, apps={1: RUNNING, 2: RUNNING}, published=RETIRE_AFTER_S - 1),
        seen(champion=2, serving=2, apps={1: STOPPING, 2: RUNNING}, published=RETIRE_AFTER_S),
        seen(champion=2, serving=1, apps={1: RUNNING, 2: FAILED}, failed=1.0),
    ],
)
def test_there_is_nothing_to_do_while_something_is_under_way_or_all_is_well(observed):
    assert isinstance(decide(observed), Wait)


def test_a_version_that_does_not_load_never_takes_the_traffic():
    observed = seen(champion=2, serving=1, apps={1: RUNNING, 2: FAILED}, published=1e6, failed=1.0)
    assert decide(observed) not in (PublishTable(all_to(2)), RetireApplication(1))


def test_following_the_policy_from_nothing_ends_with_the_champion_serving_alone():
    apps: dict[int, AppState] = {1: RUNNING}
    serving, published = 1, 0.0
    for _ in range(20):
        decision = decide(seen(champion=2, serving=serving, apps=apps, published=published))
        published += 10
        match decision:
            case StartApplication(version):
                apps[version] = RUNNING
            case PublishTable((share,)):
                serving, published = share.version, 0.0
            case RetireApplication(version):
                del apps[version]
    assert (serving, apps) == (2, {2: RUNNING})


def test_what_a_rollout_left_in_the_table_is_cleared_once_it_has_ended():
    left = ObservedState(2, (Share(1, 0.0), Share(2, 1.0)), {1: RUNNING, 2: RUNNING}, 0.0, 0.0)
    assert decide(left) == PublishTable(all_to(2))
    assert decide(seen(champion=2, serving=2, apps={2: RUNNING}, rollout="r")) == PublishTable(all_to(2))


def test_the_alias_challenger_starts_a_rollout_only_where_rollouts_are_automatic():
    named = seen(champion=1, serving=1, apps={1: RUNNING}, challenger=2)
    assert decide(named, automatic=True) == BeginRollout(2)
    assert isinstance(decide(named), Wait)
    assert isinstance(decide(seen(champion=1, serving=1, apps={1: RUNNING}, challenger=1), automatic=True), Wait)


def test_a_rollout_waits_for_the_champion_to_serve():
    assert decide(seen(champion=1, apps={1: RUNNING}, challenger=2), automatic=True) == PublishTable(all_to(1))
    assert decide(seen(champion=1, serving=1, apps={1: AppState.DOWN}, challenger=2), automatic=True) == Wait(
        "version 1 is down"
    )


def test_the_versions_of_a_fixed_split_are_loaded_and_stand_in_the_table_without_a_share():
    asked = {"split": {"a": 1, "b": 2, "c": 3}}
    assert decide(
        seen(champion=1, serving=1, apps={1: RUNNING}, table_split=asked["split"], **asked)
    ) == StartApplication(2)
    apps = {1: RUNNING, 2: RUNNING, 3: FAILED}
    wanted = PublishTable((Share(1, 1.0), Share(2, 0.0)), split=asked["split"])
    assert decide(seen(champion=1, serving=1, apps=apps, **asked)) == wanted
    made_so = ObservedState(1, wanted.shares, apps, RETIRE_AFTER_S, 0.0, table_split=wanted.split, **asked)
    assert isinstance(decide(made_so), Wait)


def test_a_version_of_the_fixed_split_that_does_not_load_is_tried_again_ever_less_often():
    apps, split = {1: RUNNING, 2: FAILED}, {"b": 2}

    def after(tries: int, seconds: float):
        return decide(
            seen(
                champion=1,
                serving=1,
                apps=apps,
                split=split,
                table_split=split,
                failing={2: LoadFailure(tries, seconds)},
            )
        )

    waits = [60, 120, 240, 480, 960, 1920, 3600, 3600]
    for tries, wait in enumerate(waits, 1):
        assert isinstance(after(tries, wait - 1), Wait)
        assert after(tries, wait) == RetireApplication(2)


def test_a_version_that_left_the_fixed_split_leaves_the_table_and_then_ends():
    apps = {1: RUNNING, 2: RUNNING}
    before = ObservedState(1, (Share(1, 1.0), Share(2, 0.0)), apps, RETIRE_AFTER_S, 0.0, table_split={"b": 2})
    assert decide(before) == PublishTable(all_to(1))
    assert decide(seen(champion=1, serving=1, apps=apps, published=RETIRE_AFTER_S)) == RetireApplication(2)
