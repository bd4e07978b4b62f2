"""The linear baseline learns, is chosen on validation, and stores nothing."""

from __future__ import annotations

import pytest

from sentiment.evaluation.baseline import BaselineSplit, measure_baseline

_KIND = ["a good film", "what a lovely day", "great fun", "i like it", "the best meal", "so nice"]
_HARSH = ["a bad film", "what an awful day", "no fun", "i hate it", "the worst meal", "so sad"]
_TRAIN = BaselineSplit(_KIND + _HARSH, ["positive"] * 6 + ["negative"] * 6)
_HELD_OUT = BaselineSplit(["a lovely film", "an awful film"], ["positive", "negative"])


@pytest.fixture(scope="module")
def found():
    test = BaselineSplit(["great day", "awful day", "hate"], ["positive", "negative", "positive"])
    return measure_baseline(_TRAIN, _HELD_OUT, test)


def test_the_baseline_learns_what_words_say(found):
    assert found.train_accuracy == 1.0
    assert found.validation_accuracy == 1.0
    assert found.test_predictions == ("positive", "negative", "negative")
    assert found.test_accuracy == pytest.approx(2 / 3)
    assert found.test_macro_recall == pytest.approx((1 / 2 + 1) / 2)


def test_several_candidates_are_tried_and_the_chosen_one_is_named(found):
    assert found.tried == 8
    assert found.chosen.startswith("words")
    assert found.parameters > 10
    assert found.texts_per_s > 0
    assert found.search_s >= found.fit_s > 0
