"""Batches of like length, the loss of corpora that know no neutral, class weights and rates."""

from __future__ import annotations

import itertools
from random import Random

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from sentiment.training.batching.batches import EncodedText, collate, cut_batches  # noqa: E402
from sentiment.training.objectives.loss import class_weights, sentiment_loss  # noqa: E402
from sentiment.training.optimisation.schedules import learning_rate_factor  # noqa: E402


def test_every_row_stands_in_one_batch_and_no_batch_exceeds_its_tokens() -> None:
    lengths = [Random(number).randint(3, 60) for number in range(500)]
    batches = cut_batches(lengths, most_tokens=128, most_rows=16, random=Random(1))
    assert sorted(itertools.chain.from_iterable(batches)) == list(range(500))
    assert max(len(batch) * max(lengths[number] for number in batch) for batch in batches) <= 128
    assert max(map(len, batches)) <= 16


def test_texts_of_like_length_share_a_batch_so_that_padding_stays_small() -> None:
    lengths = [Random(number).randint(3, 60) for number in range(500)]
    batches = cut_batches(lengths, most_tokens=256, most_rows=32, random=Random(1))
    padded = sum(len(batch) * max(lengths[number] for number in batch) for batch in batches)
    assert padded < 1.05 * sum(lengths)


def test_a_row_longer_than_a_batch_is_a_batch_of_its_own() -> None:
    assert sorted(map(len, cut_batches([100, 3, 3], most_tokens=10, most_rows=8, random=Random(0)))) == [1, 2]


def test_collating_pads_with_masked_zeros() -> None:
    batch = collate([EncodedText([2, 7, 3], 2, two_class=True), EncodedText([2, 7, 8, 9, 3], 0, two_class=False)])
    assert batch.input_ids.tolist() == [[2, 7, 3, 0, 0], [2, 7, 8, 9, 3]]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert (batch.labels.tolist(), batch.two_class.tolist()) == ([2, 0], [True, False])


def test_two_class_rows_leave_the_neutral_logit_alone_without_neutral_weight() -> None:
    logits = torch.tensor([[0.3, 2.0, 1.0]], requires_grad=True)
    sentiment_loss(logits, torch.tensor([2]), torch.tensor([True]), torch.ones(3), neutral_weight=0.0).sum().backward()
    assert logits.grad is not None
    assert logits.grad[0, 1] == 0.0
    assert logits.grad[0, 2] < 0.0 < logits.grad[0, 0]


def test_three_class_rows_get_the_weighted_cross_entropy_of_torch() -> None:
    logits, labels = torch.randn(6, 3, generator=torch.Generator().manual_seed(3)), torch.tensor([0, 1, 2, 0, 1, 2])
    weights = torch.tensor([2.0, 1.0, 0.5])
    ours = sentiment_loss(logits, labels, torch.zeros(6, dtype=torch.bool), weights, 0.1)
    reference = torch.nn.functional.cross_entropy(logits, labels, weight=weights, reduction="sum") / 6
    assert torch.allclose(ours.mean(), reference)


def test_class_weights_favour_the_rare_class_and_have_mean_one_over_the_rows() -> None:
    labels = [0] * 10 + [1] * 40 + [2] * 40
    weights = class_weights(labels, 3, power=0.5)
    assert weights[0] / weights[1] == pytest.approx(2.0)
    assert sum(float(weights[label]) for label in labels) / len(labels) == pytest.approx(1.0)


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing() -> None:
    rates = [learning_rate_factor(progress, warm_up=0.1) for progress in (0.0, 0.05, 0.1, 0.55, 1.0)]
    assert rates == pytest.approx([0.0, 0.5, 1.0, 0.5, 0.0])
    assert learning_rate_factor(1.0, warm_up=0.1, last_rate=0.8) == pytest.approx(0.8)
