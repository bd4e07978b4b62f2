from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.insight.association import Candidate, lift_of, strongest
from sentiment.insight.interval import mean_interval
from sentiment.insight.values import TermKind


def interval(values: list[float]) -> tuple[float, float] | None:
    return mean_interval(len(values), sum(values), sum(value * value for value in values))


def test_no_text_has_no_interval():
    assert interval([]) is None


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=300))
def test_an_interval_holds_the_mean_within_the_scale_and_is_never_certain(values):
    low, high = interval(values)
    assert -1 <= low <= sum(values) / len(values) + 1e-12
    assert sum(values) / len(values) - 1e-12 <= high <= 1
    assert high - low > 0.0


def test_more_texts_make_it_narrower_and_with_many_it_is_the_normal_interval():
    widths = [high - low for low, high in (interval([0.5, -0.5] * half) for half in (1, 5, 50, 5000))]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == pytest.approx(2 * 1.96 * 0.5 / 100, rel=0.01)


@pytest.mark.parametrize(("texts", "share"), [(5, 0.1), (5, 0.5), (20, 0.03), (20, 0.5), (200, 0.1)])
def test_it_holds_the_true_mean_in_about_95_of_100_samples(texts, share):
    draw, covered = random.Random(3), 0
    for _ in range(2000):
        low, high = interval([1.0 if draw.random() < share else -1.0 for _ in range(texts)])
        covered += low <= 2 * share - 1 <= high
    assert covered / 2000 > 0.91


def candidate(name: str, found: int, overall: int, kind: TermKind = "word") -> Candidate:
    return Candidate(name, kind, found, overall)


def test_lift_is_the_ratio_of_frequencies():
    assert lift_of(candidate("a", 10, 20), 100, 1000) == pytest.approx(5.0)


def test_terms_by_chance_of_few_texts_or_no_more_frequent_are_left_out():
    chance, few, usual, rarer = (candidate(*of) for of in (("a", 6, 30), ("b", 2, 2), ("c", 10, 100), ("d", 1, 90)))
    real = candidate("e", 30, 40)
    assert strongest([chance, few, usual, rarer, real], 100, 1000, 9) == [real]


def test_the_order_is_by_lift_times_the_logarithm_of_the_count():
    rare, common = candidate("rare", 4, 4), candidate("common", 80, 200)
    assert 10 * math.log1p(4) < 4 * math.log1p(80)
    assert strongest([rare, common], 100, 1000, 9) == [common, rare]
    assert strongest([rare, common], 100, 1000, 1) == [common]


def test_significance_is_the_log_likelihood_ratio():
    table = [(6, 3.0), (94, 97.0), (24, 27.0), (876, 873.0)]  # counted and expected
    g2 = 2 * sum(counted * math.log(counted / expected) for counted, expected in table)
    assert strongest([candidate("a", 6, 30)], 100, 1000, 9, least_g2=g2 - 1e-9)
    assert not strongest([candidate("a", 6, 30)], 100, 1000, 9, least_g2=g2 + 1e-9)
