"""Batches, the loss and the loop, on a network small enough to train in a second."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from sentiment.models.encoder import EncoderClassifier, EncoderConfig  # noqa: E402
from sentiment.training.batches import Batch, Row, collate, cut_batches  # noqa: E402
from sentiment.training.loop import LoopConfig, TrainingState, train  # noqa: E402
from sentiment.training.loss import class_weights, sentiment_loss  # noqa: E402
from sentiment.training.schedules import learning_rate_factor  # noqa: E402

_TINY = EncoderConfig(vocabulary=20, hidden=16, layers=1, heads=2, feed_forward=32, positions=12, dropout=0.1)
_ROWS = [Row([2, 5 + number % 3, 9, 3][: 3 + number % 2], number % 3, two_class=False) for number in range(24)]
_CONFIG = LoopConfig(learning_rate=5e-3, checkpoint_every_steps=5, log_every_steps=5, bfloat16=False)


def _batches() -> Iterator[Batch]:
    for epoch in itertools.count():
        for cut in cut_batches([len(row.ids) for row in _ROWS], 32, 8, Random(epoch)):
            yield collate([_ROWS[number] for number in cut])


def _loss(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    return sentiment_loss(logits, batch.labels, batch.two_class, torch.ones(3), 0.1)


def _train(
    steps: int, checkpoint: Path | None = None, config: LoopConfig = _CONFIG
) -> tuple[EncoderClassifier, TrainingState]:
    torch.manual_seed(1)
    model = EncoderClassifier(_TINY)
    return model, train(model, _batches(), steps, _loss, config, checkpoint, clock=lambda: 0.0)


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
    batch = collate([Row([2, 7, 3], 2, two_class=True), Row([2, 7, 8, 9, 3], 0, two_class=False)])
    assert batch.input_ids.tolist() == [[2, 7, 3, 0, 0], [2, 7, 8, 9, 3]]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert (batch.labels.tolist(), batch.two_class.tolist()) == ([2, 0], [True, False])


def test_two_class_rows_leave_the_neutral_logit_alone_without_neutral_weight() -> None:
    logits = torch.tensor([[0.3, 2.0, 1.0]], requires_grad=True)
    sentiment_loss(logits, torch.tensor([2]), torch.tensor([True]), torch.ones(3), neutral_weight=0.0).backward()
    assert logits.grad is not None
    assert logits.grad[0, 1] == 0.0
    assert logits.grad[0, 2] < 0.0 < logits.grad[0, 0]


def test_three_class_rows_get_the_weighted_cross_entropy_of_torch() -> None:
    logits, labels = torch.randn(6, 3, generator=torch.Generator().manual_seed(3)), torch.tensor([0, 1, 2, 0, 1, 2])
    weights = torch.tensor([2.0, 1.0, 0.5])
    ours = sentiment_loss(logits, labels, torch.zeros(6, dtype=torch.bool), weights, 0.1)
    reference = torch.nn.functional.cross_entropy(logits, labels, weight=weights, reduction="sum") / 6
    assert torch.allclose(ours, reference)


def test_class_weights_favour_the_rare_class_and_have_mean_one_over_the_rows() -> None:
    labels = [0] * 10 + [1] * 40 + [2] * 40
    weights = class_weights(labels, 3, power=0.5)
    assert weights[0] / weights[1] == pytest.approx(2.0)
    assert sum(float(weights[label]) for label in labels) / len(labels) == pytest.approx(1.0)


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing() -> None:
    rates = [learning_rate_factor(progress, warm_up=0.1) for progress in (0.0, 0.05, 0.1, 0.55, 1.0)]
    assert rates == pytest.approx([0.0, 0.5, 1.0, 0.5, 0.0])
    assert learning_rate_factor(1.0, warm_up=0.1, last_rate=0.8) == pytest.approx(0.8)


def test_training_lowers_the_loss() -> None:
    untrained, _ = _train(0)
    trained, state = _train(60)
    batch = collate(_ROWS)
    before, after = (
        _loss(model.eval()(batch.input_ids, batch.attention_mask), batch).item() for model in (untrained, trained)
    )
    assert state.step == 60
    assert after < 0.5 * before


def test_a_run_taken_up_from_its_checkpoint_ends_with_the_weights_of_one_never_ended(tmp_path: Path) -> None:
    whole, _ = _train(20)
    checkpoint = tmp_path / "checkpoint.pt"
    torch.manual_seed(1)
    killed = EncoderClassifier(_TINY)
    with pytest.raises(KeyboardInterrupt):
        train(killed, _until(12), 20, _loss, _CONFIG, checkpoint, clock=lambda: 0.0)
    resumed, state = _train(20, checkpoint)
    assert state.step == 20
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_finished_run_started_again_does_no_more_steps(tmp_path: Path) -> None:
    first, _ = _train(10, tmp_path / "checkpoint.pt")
    again, state = _train(10, tmp_path / "checkpoint.pt")
    assert state.step == 10
    assert torch.equal(first.head.weight, again.head.weight)


def test_a_run_ends_when_its_time_is_up() -> None:
    seconds = itertools.count()
    torch.manual_seed(1)
    state = train(
        EncoderClassifier(_TINY),
        _batches(),
        1000,
        _loss,
        LoopConfig(most_seconds=20, bfloat16=False),
        clock=lambda: float(next(seconds)),
    )
    assert 5 <= state.step <= 20


def _until(step: int) -> Iterator[Batch]:
    yield from itertools.islice(_batches(), step)
    raise KeyboardInterrupt
