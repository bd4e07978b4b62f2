"""A thousand rollouts each: an equal challenger is hardly ever aborted, a worse one hardly ever promoted."""

from __future__ import annotations

import numpy as np
import pytest

from serve_app.rollout.policy.sequential_test import ALPHA, DECISIVE, above
from serve_app.rollout.policy.state_machine import LEAST_COMPARED
from tests.unit.rollout.simulated import MARGIN, Truth, simulate

ROLLOUTS = 1000
#: Labelled texts, and texts between two looks: more looks cost time here and cannot break what holds for all of them.
LABELS, EVERY = 4000, 16


@pytest.mark.parametrize("discordant", [0.06, 0.1, 0.2])
def test_an_equal_challenger_is_aborted_in_at_most_one_of_twenty_rollouts(discordant):
    told = simulate(Truth(0.0, discordant), rollouts=ROLLOUTS, labels=LABELS, seed=1, every=EVERY).told()
    assert told["aborted"] <= ALPHA
    assert told["promoted"] >= 0.7  # else the test would say no to everything


@pytest.mark.parametrize("discordant", [0.06, 0.1, 0.2])
def test_a_challenger_worse_by_three_points_is_promoted_in_at_most_one_of_twenty_rollouts(discordant):
    told = simulate(Truth(MARGIN, discordant), rollouts=ROLLOUTS, labels=LABELS, seed=2, every=EVERY).told()
    assert told["promoted"] <= ALPHA
    assert told["aborted"] >= 0.7


def test_the_labelled_texts_until_a_worse_challenger_is_stopped_are_those_of_the_documents():
    told = simulate(Truth(MARGIN, 0.1), rollouts=ROLLOUTS, labels=LABELS, seed=3, every=EVERY).told()
    assert told["labels_median"] < 900
    assert told["labels_p90"] < 2000
    told = simulate(Truth(0.1, 0.2), rollouts=ROLLOUTS, labels=1000, seed=4, every=EVERY).told()
    assert told["labels_median"] < 200
    assert told["labels_p90"] < 400


def test_looked_at_after_every_text_the_promise_holds_too():
    told = simulate(Truth(0.0, 0.1), rollouts=200, labels=1500, seed=5).told()
    assert told["aborted"] <= ALPHA


@pytest.mark.parametrize(("flips", "least", "most"), [(0.1, 0.9, 1.0), (0.05, 0.0, ALPHA), (0.02, 0.0, 0.001)])
def test_swapped_labels_on_a_tenth_of_the_texts_are_found_before_the_shadow_is_left(flips, least, most):
    flipped = (np.random.default_rng(6).random((ROLLOUTS, LEAST_COMPARED)) < flips).cumsum(axis=1)
    stopped = (above(flipped, np.arange(1, LEAST_COMPARED + 1), 0.05) >= DECISIVE).any(axis=1).mean()
    assert least <= stopped <= most
