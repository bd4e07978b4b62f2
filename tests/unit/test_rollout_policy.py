from __future__ import annotations

import pytest

from serve_app.rollout.policy import (
    RETIRE_AFTER_S,
    RETRY_AFTER_S,
    AppState,
    Observed,
    Publish,
    Retire,
    Start,
    Wait,
    decide,
)

RUNNING, LOADING, FAILED, LEAVING = AppState.RUNNING, AppState.LOADING, AppState.FAILED, AppState.LEAVING


def seen(champion=None, serving=None, apps=None, published=0.0, failed=0.0) -> Observed:
    return Observed(champion, serving, apps or {}, published, failed)


@pytest.mark.parametrize(
    ("observed", "decision"),
    [
        (seen(champion=1), Start(1)),
        (seen(champion=1, apps={1: RUNNING}), Publish(1)),
        (seen(champion=2, serving=1, apps={1: RUNNING}), Start(2)),
        (seen(champion=2, serving=1, apps={1: RUNNING, 2: RUNNING}), Publish(2)),
        (seen(champion=2, serving=2, apps={1: RUNNING, 2: RUNNING}, published=RETIRE_AFTER_S), Retire(1)),
        (seen(champion=None, serving=3), Start(3)),
        (seen(champion=2, serving=1, apps={1: RUNNING, 2: FAILED}, failed=RETRY_AFTER_S), Retire(2)),
    ],
)
def test_each_state_has_its_one_next_step(observed, decision):
    assert decide(observed) == decision


@pytest.mark.parametrize(
    "observed",
    [
        seen(),
        seen(champion=1, apps={1: LOADING}),
        seen(champion=1, apps={1: LEAVING}),
        seen(champion=1, serving=1, apps={1: RUNNING}),
        seen(champion=2, serving=2, apps={1: RUNNING, 2: RUNNING}, published=RETIRE_AFTER_S - 1),
        seen(champion=2, serving=2, apps={1: LEAVING, 2: RUNNING}, published=RETIRE_AFTER_S),
        seen(champion=2, serving=1, apps={1: RUNNING, 2: FAILED}, failed=1.0),
    ],
)
def test_there_is_nothing_to_do_while_something_is_under_way_or_all_is_well(observed):
    assert isinstance(decide(observed), Wait)


def test_a_version_that_does_not_load_never_takes_the_traffic():
    observed = seen(champion=2, serving=1, apps={1: RUNNING, 2: FAILED}, published=1e6, failed=1.0)
    assert decide(observed) not in (Publish(2), Retire(1))


def test_following_the_policy_from_nothing_ends_with_the_champion_serving_alone():
    apps: dict[int, AppState] = {1: RUNNING}
    serving, published = 1, 0.0
    for _ in range(20):
        decision = decide(seen(champion=2, serving=serving, apps=apps, published=published))
        published += 10
        match decision:
            case Start(version):
                apps[version] = RUNNING
            case Publish(version):
                serving, published = version, 0.0
            case Retire(version):
                del apps[version]
    assert (serving, apps) == (2, {2: RUNNING})
