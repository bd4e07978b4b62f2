"""Plans, schedules, the end by patience, and tokenised texts on disk."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the train extra")

from sentiment.datasets import Example
from sentiment.errors import InvalidInput
from sentiment.labels import THREE_CLASSES
from sentiment.training.batching.batches import row_of
from sentiment.training.batching.encoded import build_once, encoded_texts, piece_counts
from sentiment.training.batching.plan import BatchPlan, PlanPiece, TrainingStep, split
from sentiment.training.config import SCHEDULES
from sentiment.training.optimisation.early_stopping import EarlyStopping
from sentiment.training.optimisation.schedules import learning_rate_factor
from sentiment.training.validation import figures_of_logits
from tests.tiny_training import TINY, encode, examples, tiny_start


def plan(workers: int = 1, **changes: object) -> BatchPlan:
    texts = encode()
    return BatchPlan(texts, np.arange(len(texts)), replace(TINY, **changes), workers)


def test_an_epoch_takes_every_text_once_and_the_next_one_in_another_order() -> None:
    first, second = (
        [row for step in plan().epoch(number) for piece in step.pieces for row in piece.rows] for number in (0, 1)
    )
    assert sorted(first) == sorted(second) == list(range(90))
    assert first != second


def test_the_rest_of_an_epoch_is_its_end() -> None:
    whole = plan(accumulation=2).epoch(0)
    assert plan(accumulation=2).epoch(0, batches_done=2) == whole[1:]


def test_workers_share_the_batches_of_a_step_and_each_has_as_many() -> None:
    pieces = [PlanPiece(number, [number]) for number in range(5)]
    shares = [TrainingStep(pieces, 5).share(rank, 2) for rank in range(2)]
    assert [len(share) for share in shares] == [3, 3]
    counted = [piece.number for share in shares for piece, weight in share if weight]
    assert sorted(counted) == [0, 1, 2, 3, 4]


def test_two_workers_take_the_steps_that_one_takes_with_two_batches_each() -> None:
    assert plan(workers=2).epoch(0) == plan(accumulation=2).epoch(0)
    assert plan(most_steps=3).total_steps == 3


def test_what_is_held_out_is_drawn_by_the_seed_has_labels_and_is_not_trained_on() -> None:
    labels = np.array([0, 1, 2, -1] * 25, dtype=np.int16)
    train, held_out = split(labels, 0.2, seed=1)
    assert len(held_out) == 15
    assert (labels[held_out] >= 0).all()
    assert sorted([*train, *held_out]) == list(range(100))
    assert split(labels, 0.2, seed=1)[1].tolist() == held_out.tolist() != split(labels, 0.2, seed=2)[1].tolist()
    assert sum(map(len, split(labels, 0.2, seed=1, most=40))) == 40


def test_long_texts_are_cut_to_their_head_or_to_windows_with_the_special_pieces() -> None:
    texts = encode(texts=[Example("the day " * 20 + "love", "positive")])
    head = row_of(texts, 0, 10)
    assert list(head.ids) == [*texts.ids[:9], texts.ids[-1]]
    drawn = {tuple(row_of(texts, 0, 10, Random(seed)).ids) for seed in range(30)}
    assert len(drawn) > 1
    assert all(len(ids) == 10 and ids[0] == texts.ids[0] and ids[-1] == texts.ids[-1] for ids in drawn)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_warms_up_to_the_peak_and_then_never_rises(schedule: str) -> None:
    rates = [learning_rate_factor(place / 100, 0.1, 0.0, schedule) for place in range(101)]
    assert rates[:2] == pytest.approx([0.0, 0.1])
    assert max(rates) == rates[10] == 1.0
    assert all(later <= earlier for earlier, later in itertools.pairwise(rates[10:]))


def test_the_schedules_end_where_they_should() -> None:
    assert learning_rate_factor(1.0, 0.1, 0.2, "linear") == pytest.approx(0.2)
    assert learning_rate_factor(1.0, 0.1, 0.2, "cosine") == pytest.approx(0.2)
    assert learning_rate_factor(0.55, 0.1, 0.0, "cosine") == pytest.approx(0.5)
    assert learning_rate_factor(0.55, 0.1, 0.04, "exponential") == pytest.approx(0.2)
    assert learning_rate_factor(1.0, 0.1, 0.2, "constant") == 1.0


def test_patience_counts_validations_since_the_best() -> None:
    stopper = EarlyStopping("accuracy", patience=2)
    for step, value in enumerate((0.5, 0.7, 0.6, 0.7)):
        assert not stopper.is_over
        stopper = stopper.after({"validation_accuracy": value}, step)
    assert stopper.is_over
    assert (stopper.best, stopper.best_step) == (0.7, 1)
    assert not EarlyStopping("accuracy", None, without_better=99).is_over


def test_texts_are_tokenised_once_per_content_and_tokenizer(tmp_path: Path) -> None:
    asked = []

    def read() -> list[Example]:
        asked.append(1)
        return examples()

    tokenizer = tiny_start().tokenizer
    first = encoded_texts(tmp_path, "a", read, THREE_CLASSES, tokenizer)
    again = encoded_texts(tmp_path, "a", read, THREE_CLASSES, tokenizer)
    assert len(asked) == 1
    assert np.array_equal(first.ids, again.ids)
    assert np.array_equal(first.starts, encode().starts)
    assert np.array_equal(first.labels, encode().labels)
    encoded_texts(tmp_path, "b", read, THREE_CLASSES, tokenizer)
    tokenizer.add_tokens(["unheard"])
    encoded_texts(tmp_path, "a", read, THREE_CLASSES, tokenizer)
    assert len(asked) == 3


def test_the_pieces_of_texts_are_counted_once_and_after_the_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer, asked = tiny_start().tokenizer, []

    def read() -> list[Example]:
        asked.append(1)
        return [Example("LOVE love the day", "positive"), Example("love", None)]

    first, again = (piece_counts(tmp_path, "a", read, tokenizer) for _ in range(2))
    assert len(asked) == 1
    assert first == again == Counter(tokenizer.encode("love love the day love", add_special_tokens=False).tokens)
    assert piece_counts(tmp_path, "b", list, tokenizer) == Counter()
    stemmed = piece_counts(tmp_path, "a", read, tokenizer, ("stem",))
    assert len(asked) == 2
    assert stemmed["love"] == 3
    monkeypatch.setattr("sentiment.text.steps._version", lambda name: "another")
    piece_counts(tmp_path, "a", read, tokenizer, ("stem",))
    assert len(asked) == 3


def test_a_label_of_another_set_is_named_and_nothing_half_written_is_left(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInput, match="'joyful' is not one of the labels of the data: negative, neutral, positive"
    ):
        encoded_texts(tmp_path, "a", lambda: [Example("a", "joyful")], THREE_CLASSES, tiny_start().tokenizer)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_folder_whose_making_failed_is_made_again(tmp_path: Path) -> None:
    def fail(draft: Path) -> None:
        (draft / "half").touch()
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="space"):
        build_once(tmp_path / "target", fail)
    build_once(tmp_path / "target", lambda draft: (draft / "whole").touch())
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["whole"]


def test_what_a_killed_process_left_of_a_folder_goes_when_it_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(draft: Path) -> None:
        (draft / "half").touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", lambda *_, **__: None)  # a kill cleans nothing up
        with pytest.raises(KeyboardInterrupt):
            build_once(tmp_path / "target", killed)
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1
    for name in ("other", "target"):
        build_once(tmp_path / name, lambda draft: (draft / "whole").touch())
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["other", "target"]


def test_the_figures_of_a_validation_are_those_of_its_logits() -> None:
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.6, 0.1], [0.1, 0.1, 0.8]], dtype=np.float32))
    figures = figures_of_logits(logits, np.array([0, 1, 2, 2]))
    assert figures["validation_accuracy"] == 0.75
    assert figures["validation_macro_recall"] == pytest.approx((1 + 1 + 0.5) / 3)
    assert figures["validation_loss"] == pytest.approx(-np.log([0.7, 0.8, 0.1, 0.8]).mean(), abs=1e-5)
    assert figures["confusion"] == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert sum(row[0] for row in figures["reliability"]) == 4
