from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest

from serve_app.rollout.policy.sequential_test import DECISIVE, above, no_worse, worse


def binomial(hits: int, trials: int, rate: float) -> float:
    return comb(trials, hits) * rate**hits * (1 - rate) ** (trials - hits)


@pytest.mark.parametrize("loses", [0.5, 0.4, 0.1])
def test_betting_that_a_challenger_is_worse_is_never_a_winning_game_while_it_is_not(loses):
    expected = sum(binomial(losses, 12, loses) * float(worse(losses, 12 - losses)) for losses in range(13))
    assert expected <= 1 + 1e-9
    assert expected == pytest.approx(1) or loses < 0.5


@pytest.mark.parametrize("behind", [0.03, 0.06])
def test_betting_that_a_challenger_is_no_worse_is_never_a_winning_game_while_it_is_worse_by_the_margin(behind):
    win, trials, expected = 0.05, 10, 0.0
    lose = win + behind
    for losses, wins in product(range(trials + 1), repeat=2):
        if losses + wins <= trials:
            chance = binomial(losses, trials, lose) * binomial(wins, trials - losses, win / (1 - lose))
            expected += chance * float(no_worse(losses, wins, trials, 0.03))
    assert expected <= 1 + 1e-9
    assert expected == pytest.approx(1) or behind > 0.03


@pytest.mark.parametrize(("rate", "limit"), [(0.2, 0.2), (0.1, 0.2), (0.01, 0.01), (0.9, 0.9)])
def test_betting_that_a_share_is_above_its_limit_is_never_a_winning_game_while_it_is_not(rate, limit):
    expected = sum(binomial(hits, 15, rate) * float(above(hits, 15, limit)) for hits in range(16))
    assert expected <= 1 + 1e-9
    assert expected == pytest.approx(1) or rate < limit


def test_nothing_seen_is_no_evidence():
    assert [float(worse(0, 0)), float(no_worse(0, 0, 0, 0.03)), float(above(0, 0, 0.1))] == pytest.approx([1, 1, 1])


@pytest.mark.parametrize(
    ("fortune", "decided"),
    [
        (worse(60, 20), True),
        (worse(40, 40), False),
        (worse(20, 60), False),
        (no_worse(50, 50, 1_000_000, 0.03), True),
        (no_worse(10, 40, 400, 0.03), True),
        (no_worse(400, 100, 10_000, 0.03), False),
        (above(300, 1000, 0.2), True),
        (above(200, 1000, 0.2), False),
        (above(10**9, 10**9, 0.2), True),
    ],
)
def test_clear_counts_decide_and_balanced_ones_do_not(fortune, decided):
    assert np.isfinite(fortune)
    assert bool(fortune >= DECISIVE) is decided


def test_arrays_are_taken_element_by_element():
    assert worse([60, 40], [20, 40]).tolist() == pytest.approx([float(worse(60, 20)), float(worse(40, 40))])
