from __future__ import annotations

import json

import pytest

from serve_app.routing.observations import (
    MAX_EXAMPLES,
    Arm,
    Disagreement,
    Latencies,
    Observations,
    bound_ms,
    bucket_of,
)

EXAMPLE = Disagreement("a-1", "neutral", 0.6, "negative", 0.7)
ARM = Arm(10, 1, Latencies({20: 8, 30: 1}), {"neutral": 4, "positive": 5}, 7.5)
SEEN = Observations({3: ARM, 4: Arm(2)}, 10, 2, 1, 1, (EXAMPLE, EXAMPLE), 5, 2, 1)


def test_observations_survive_json():
    assert Observations.from_json(json.loads(json.dumps(SEEN.to_json()))) == SEEN


def test_nothing_seen_survives_json_too():
    assert Observations.from_json(json.loads(json.dumps(Observations().to_json()))) == Observations()


def test_observations_of_two_gateways_are_summed():
    both = SEEN + Observations({4: ARM, 5: ARM}, 1, 1, 1, 1, (), 1, 1, 1)
    assert both.arm(3) == ARM
    assert both.arm(4).requests == 12
    assert both.arm(5) == ARM
    assert (both.compared, both.disagreed, both.neutral_flips, both.mirror_dropped) == (11, 3, 2, 2)
    assert (both.labelled, both.only_champion_right, both.only_challenger_right) == (6, 3, 2)


def test_adding_nothing_changes_nothing():
    assert SEEN + Observations() == Observations() + SEEN == SEEN


def test_an_arm_of_two_gateways_is_summed():
    both = ARM + Arm(1, 0, Latencies({20: 1}), {"negative": 1}, 0.5)
    assert both == Arm(11, 1, Latencies({20: 9, 30: 1}), {"negative": 1, "neutral": 4, "positive": 5}, 8.0)
    assert both.answers == 10


def test_examples_are_bounded():
    many = Observations(examples=(EXAMPLE,) * MAX_EXAMPLES)
    assert len((many + SEEN).examples) == MAX_EXAMPLES


def test_a_version_that_was_not_asked_has_an_empty_arm():
    assert SEEN.arm(9) == Arm()


@pytest.mark.parametrize("elapsed_ms", [0.126, 1.0, 7.3, 99.0, 12_345.6])
def test_a_time_lies_in_its_bucket(elapsed_ms):
    bucket = bucket_of(elapsed_ms)
    assert bound_ms(bucket - 1) < elapsed_ms <= bound_ms(bucket)


def test_times_beyond_the_buckets_fall_in_the_first_and_the_last():
    assert bucket_of(0.0) == bucket_of(0.01) == 0
    assert bucket_of(1e12) == bucket_of(1e15)


def test_percentiles_are_at_most_a_fifth_above_the_true_ones():
    counts: dict[int, int] = {}
    for elapsed_ms in range(1, 1001):
        counts[bucket_of(elapsed_ms)] = counts.get(bucket_of(elapsed_ms), 0) + 1
    latencies = Latencies(counts)
    for q in (0.1, 0.5, 0.95, 0.99, 1.0):
        assert 1000 * q <= latencies.p(q) <= 1000 * q * 1.19


def test_there_is_no_percentile_of_nothing():
    assert Latencies().p(0.5) is None
