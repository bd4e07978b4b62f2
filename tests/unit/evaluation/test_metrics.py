"""The measures, against hand-worked numbers and against published ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sentiment.evaluation.metrics import (
    accuracy,
    confusion,
    expected_calibration_error,
    f1s,
    fit_biases,
    fit_shift,
    fit_temperature,
    macro_f1,
    macro_recall,
    negative_log_likelihood,
    precisions,
    recalls,
    reliability,
)

_CORPORA = Path(__file__).parents[4] / "shared" / "data" / "tweeteval_sentiment"
_LABELS = [0, 0, 1, 1, 1, 2]
_PREDICTIONS = [0, 1, 1, 1, 2, 2]


def test_confusion_counts_labels_in_rows_and_predictions_in_columns() -> None:
    assert confusion(_LABELS, _PREDICTIONS, 3).tolist() == [[1, 1, 0], [0, 2, 1], [0, 0, 1]]


def test_measures_equal_those_worked_out_by_hand() -> None:
    assert accuracy(_LABELS, _PREDICTIONS) == pytest.approx(4 / 6)
    assert recalls(_LABELS, _PREDICTIONS, 3) == pytest.approx([1 / 2, 2 / 3, 1])
    assert macro_recall(_LABELS, _PREDICTIONS, 3) == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert macro_f1(_LABELS, _PREDICTIONS, 3) == pytest.approx((2 / 3 + 2 / 3 + 2 / 3) / 3)


def test_measures_of_each_class_equal_those_worked_out_by_hand() -> None:
    assert precisions(_LABELS, _PREDICTIONS, 3) == pytest.approx([1, 2 / 3, 1 / 2])
    assert f1s(_LABELS, [0, 0, 1, 1, 1, 1], 3) == pytest.approx([1, 6 / 7, 0])
    assert np.isnan(precisions([0, 1], [0, 0], 2)[1])


def test_a_class_without_texts_does_not_count_in_macro_recall() -> None:
    assert macro_recall([0, 0, 2, 2], [0, 2, 2, 2], 3) == pytest.approx(0.75)


def test_metrics_agree_with_the_published_figures_of_twitter_roberta() -> None:
    if not _CORPORA.is_dir():
        pytest.skip(f"the TweetEval files are not in {_CORPORA}")
    labels = [int(line) for line in (_CORPORA / "test_labels.txt").read_text().split()]
    predictions = [int(line) for line in (_CORPORA / "predictions_twitter_roberta_base.txt").read_text().split()]
    assert macro_recall(labels, predictions, 3) == pytest.approx(0.7285672, abs=5e-7)
    assert accuracy(labels, predictions) == pytest.approx(0.7232172, abs=5e-7)
    assert recalls(labels, predictions, 3) == pytest.approx([0.7920, 0.6817, 0.7120], abs=5e-5)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    probabilities = [[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]]
    labels = [0, 1, 0, 1]
    assert expected_calibration_error(probabilities, labels) == pytest.approx((0.8 + 0.8) / 4)


def test_reliability_tells_texts_confidence_and_accuracy_of_each_bin() -> None:
    found = reliability([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4]], [0, 1, 0], bins=10)
    assert found.texts.tolist() == [0] * 6 + [1, 0, 0, 2]
    assert found.confidences[[6, 9]] == pytest.approx([0.6, 0.9])
    assert found.accuracies[[6, 9]] == pytest.approx([1.0, 0.5])
    assert np.isnan(found.accuracies[0])


def test_a_certain_and_right_model_has_no_calibration_error() -> None:
    assert expected_calibration_error([[1.0, 0.0], [0.0, 1.0]], [0, 1]) == pytest.approx(0.0)


def test_fitting_finds_the_temperature_that_labels_were_drawn_at() -> None:
    random = np.random.default_rng(7)
    logits = random.normal(size=(20_000, 3)) * 2.0
    cooled = np.exp(logits / 1.7)
    bounds = (cooled / cooled.sum(axis=1, keepdims=True)).cumsum(axis=1)
    labels = (random.random((len(logits), 1)) > bounds[:, :2]).sum(axis=1)
    assert fit_temperature(logits, labels) == pytest.approx(1.7, rel=0.05)


def test_the_fitted_temperature_is_no_worse_than_none() -> None:
    logits = np.array([[6.0, 0.0], [0.0, 6.0], [6.0, 0.0]])
    labels = [0, 1, 1]
    fitted = fit_temperature(logits, labels)
    assert fitted > 1.0
    assert negative_log_likelihood(logits / fitted, labels) < negative_log_likelihood(logits, labels)


def test_the_fitted_shift_undoes_one_that_was_added() -> None:
    random = np.random.default_rng(3)
    labels = random.integers(0, 3, size=6000)
    honest = np.eye(3)[labels] * 2.0 + random.normal(size=(6000, 3))
    drawn_aside = honest + np.array([0.0, -1.0, 0.0])
    assert fit_shift(drawn_aside, labels, label=1) == pytest.approx(1.0, abs=0.1)
    assert fit_shift(honest, labels, label=1) == pytest.approx(0.0, abs=0.1)


def test_the_fitted_biases_undo_what_class_weights_did_whatever_the_temperature() -> None:
    random = np.random.default_rng(3)
    labels = random.choice(3, size=8000, p=[0.2, 0.5, 0.3])
    honest = np.log([0.2, 0.5, 0.3]) + np.eye(3)[labels] * 4.0 + 2.0 * random.normal(size=(8000, 3))
    moved = np.array([1.0, -0.4, 0.0])
    assert fit_biases(honest + moved, labels) == pytest.approx(
        fit_biases(honest, labels) - moved + moved.mean(), abs=0.01
    )
    before, after = honest + moved, honest + moved + fit_biases(honest + moved, labels)
    fitted = [scores / fit_temperature(scores, labels) for scores in (before, after)]
    assert negative_log_likelihood(fitted[1], labels) < negative_log_likelihood(fitted[0], labels)
