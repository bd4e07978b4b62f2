from __future__ import annotations

import dataclasses

import pytest

from serve_app.supervisor.restart_policy import Action, ProcessObservation, RestartPolicy, decide, pause_s

PATIENCE = RestartPolicy(start_s=100, unready_s=20, start_attempts=3, longest_pause_s=8)
UP = ProcessObservation(alive=True, done=False, answered=True, ever_ready=True, failures=0, since_s=50, unready_s=1)
NEW = ProcessObservation(alive=False, done=False, answered=False, ever_ready=False, failures=0, since_s=0, unready_s=0)


def test_a_part_that_answers_is_left_alone() -> None:
    assert decide(UP, PATIENCE) is Action.KEEP


def test_a_part_that_was_never_started_is_started_at_once() -> None:
    assert decide(NEW, PATIENCE) is Action.START


def test_a_part_that_no_longer_answers_is_started_anew() -> None:
    assert decide(dataclasses.replace(UP, unready_s=19), PATIENCE) is Action.KEEP
    assert decide(dataclasses.replace(UP, unready_s=21), PATIENCE) is Action.RESTART


def test_a_part_that_comes_up_gets_more_time_even_after_a_restart() -> None:
    coming = dataclasses.replace(UP, answered=False, failures=1, unready_s=99)
    assert decide(coming, PATIENCE) is Action.KEEP
    assert decide(dataclasses.replace(coming, unready_s=101), PATIENCE) is Action.RESTART


def test_a_part_that_never_came_up_is_given_up_after_its_attempts() -> None:
    failed = dataclasses.replace(NEW, failures=3, since_s=1000)
    assert decide(failed, PATIENCE) is Action.GIVE_UP
    assert decide(dataclasses.replace(failed, failures=2), PATIENCE) is Action.START


def test_a_part_that_was_up_once_is_never_given_up() -> None:
    assert decide(dataclasses.replace(NEW, ever_ready=True, failures=50, since_s=9), PATIENCE) is Action.START


def test_a_part_that_is_done_is_never_started_again() -> None:
    assert decide(dataclasses.replace(NEW, done=True, since_s=1000), PATIENCE) is Action.KEEP


@pytest.mark.parametrize(("failures", "pause"), [(0, 0), (1, 1), (2, 2), (3, 4), (4, 8), (9, 8), (2000, 8)])
def test_pauses_double_up_to_a_limit(failures: int, pause: float) -> None:
    assert pause_s(failures, PATIENCE) == pause


def test_a_failed_part_waits_for_its_pause() -> None:
    failed = dataclasses.replace(NEW, ever_ready=True, failures=3, since_s=3.9)
    assert decide(failed, PATIENCE) is Action.KEEP
    assert decide(dataclasses.replace(failed, since_s=4.0), PATIENCE) is Action.START
