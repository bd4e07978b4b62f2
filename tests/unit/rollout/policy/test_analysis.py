from __future__ import annotations

import re

import numpy as np
import pytest

from serve_app.rollout.policy.analysis import LEAST_TIMES, analyse
from serve_app.rollout.policy.record import State
from serve_app.rollout.policy.sequential_test import DECISIVE
from serve_app.routing.observations import Arm, Observations
from tests.unit.rollout.rollouts import arm, rollout_of


def judged(seen: Observations, **settings):
    return analyse(rollout_of(State.SHADOW, 1, seen=seen, settings=settings))


def test_nothing_seen_says_nothing():
    found = analyse(rollout_of(State.SHADOW, 1))
    assert (found.stop, found.is_no_worse, found.labelled) == (None, False, 0)
    assert "p99_ratio" not in found.numbers
    assert "disagreement" not in found.numbers


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (
            Observations(compared=400, disagreed=150, neutral_flips=150),
            "different labels to 37.5 % of 400 texts; at most 25 %",
        ),
        (Observations(compared=400, disagreed=60, neutral_flips=10), "opposite labels .* to 12.5 % .*; at most 5 %"),
        (
            Observations({2: arm(100, errors=9, unread=9)}),
            "2 failed on 9 of 100 texts that version 1 did not fail on; at most 1 %",
        ),
        (Observations({2: arm(4, errors=4, lost=4)}), "2 failed on 4 of 4 calls"),
        (Observations({1: arm(200, milliseconds=10), 2: arm(200, milliseconds=100)}), "times as long as version 1"),
        (
            Observations(labelled=400, only_champion_right=60, only_challenger_right=20),
            "of 400 texts with feedback, only version 1 was right on 60, only version 2 on 20",
        ),
    ],
    ids=["disagreement", "flips", "errors", "dead", "slow", "worse"],
)
def test_each_limit_ends_a_rollout_and_the_reason_has_the_numbers(seen, reason):
    assert re.search(reason, judged(seen).stop)


@pytest.mark.parametrize(
    "seen",
    [
        Observations(compared=400, disagreed=80, neutral_flips=70),
        Observations(compared=8, disagreed=3, neutral_flips=3),  # a few texts are not enough
        Observations({1: arm(900), 2: arm(100, errors=1, unread=1)}),
        Observations({1: arm(900), 2: Arm(6272, 1, calls=28, lost=1)}),  # one call of hundreds of texts is one event
        Observations({1: arm(900, errors=90), 2: arm(100, errors=10)}),  # the texts are bad, not the version
        Observations({1: arm(200, milliseconds=10), 2: arm(200, milliseconds=25)}),
        Observations({1: arm(200, milliseconds=0.2), 2: arm(200, milliseconds=4)}),  # both are as good as nothing
        Observations({1: arm(200, milliseconds=10), 2: arm(LEAST_TIMES - 1, milliseconds=1000)}),
        Observations(labelled=400, only_champion_right=25, only_challenger_right=20),
        Observations({1: arm(500, labels={"positive": 500}), 2: arm(500, labels={"neutral": 500})}),
    ],
)
def test_what_is_within_the_limits_or_too_little_goes_on(seen):
    assert judged(seen).stop is None


def test_a_tail_alone_is_not_taken_for_a_slow_version():
    tail = arm(200, milliseconds=10)
    tail = tail + arm(20, milliseconds=500)
    assert judged(Observations({1: arm(200, milliseconds=10), 2: tail})).stop is None
    twice = arm(200, milliseconds=20) + arm(20, milliseconds=500)
    assert judged(Observations({1: arm(200, milliseconds=10), 2: twice})).stop is None


def test_the_limits_are_those_of_the_settings_when_the_rollout_started():
    seen = Observations(compared=400, disagreed=80, neutral_flips=80)
    assert judged(seen).stop is None
    assert "10 % are allowed" in judged(seen, rollouts_max_disagreement=0.1).stop


def test_latency_is_judged_by_the_present_stage_and_errors_by_all():
    slow = Observations({1: arm(200, milliseconds=10), 2: arm(200, milliseconds=200)})
    later = rollout_of(State.CANARY, 2).with_counts(1, "gateway-1", slow.to_json())
    assert analyse(later).stop is None
    failing = Observations({1: arm(200), 2: arm(200, errors=20, unread=20)})
    assert "failed on 20" in analyse(later.with_counts(1, "gateway-1", failing.to_json())).stop


def test_texts_that_the_champion_fails_on_too_hide_nothing():
    both_fail = 400
    seen = Observations({1: arm(4000, errors=both_fail), 2: arm(4000, errors=both_fail + 160, unread=160)})
    assert "failed on 160 of 4000 texts" in judged(seen).stop


def test_labels_that_show_it_to_be_no_worse_are_told_apart_from_labels_that_do_not():
    assert judged(Observations(labelled=2000, only_champion_right=50, only_challenger_right=60)).is_no_worse
    assert not judged(Observations(labelled=100, only_champion_right=3, only_challenger_right=3)).is_no_worse


def test_confidence_and_label_shift_are_measured_and_end_nothing():
    labels = {1: {"positive": 80, "negative": 20}, 2: {"positive": 50, "negative": 50}}
    found = judged(Observations({version: arm(100, labels=counts) for version, counts in labels.items()}))
    assert found.numbers["label_shift"] == pytest.approx(0.3)
    assert found.numbers["confidence_shift"] == pytest.approx(0.0)
    assert found.stop is None


def test_a_version_that_swaps_labels_on_a_tenth_of_the_texts_is_stopped_by_either_test():
    random = np.random.default_rng(7)
    stopped = {"labels": 0, "limits": 0}
    for _ in range(20):
        swapped, right = random.random(1500) < 0.1, random.random(1500) < 0.7
        disagreed = int(swapped.sum())
        limits = judged(Observations(compared=1500, disagreed=disagreed))
        labels = judged(
            Observations(
                labelled=1500,
                only_champion_right=int((swapped & right).sum()),
                only_challenger_right=int((swapped & ~right).sum() // 3),
            )
        )
        stopped["limits"] += "opposite labels" in (limits.stop or "")
        stopped["labels"] += labels.numbers["evidence_worse"] >= DECISIVE
    assert stopped == {"labels": 20, "limits": 20}
