"""The default model's training on texts of a few words: what a stage draws, learns and keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from sentiment.labels import THREE_CLASSES  # noqa: E402
from sentiment.training.batching.batches import collate, row_of  # noqa: E402
from sentiment.training.batching.plan import BatchPlan  # noqa: E402
from tests.tiny_training import examples, tiny_start  # noqa: E402
from train_jobs.shipped_model.default_model import BROAD, NARROW, Stage, fit  # noqa: E402
from train_jobs.shipped_model.latest_checkpoint import LatestCheckpoint  # noqa: E402
from train_jobs.shipped_model.mixture import MixtureConfig, draw  # noqa: E402
from train_jobs.shipped_model.readers import LabelledText, TrainingTexts  # noqa: E402

MIXTURE = MixtureConfig(reviews=6, phrases=9, window_tokens=8, long_window_tokens=12, long_windows=0.5)
STAGE = Stage(
    "tiny",
    MIXTURE,
    replace(BROAD.training, window_tokens=12, batch_tokens=60, batch_rows=6, dtype="float32", checkpoint_every_steps=2),
    neutral_weight=0.1,
)


@pytest.fixture
def texts() -> TrainingTexts:
    tweets = [LabelledText(row.text, THREE_CLASSES.index(row.label or "")) for row in examples(30)]
    held_out = [LabelledText(row.text, THREE_CLASSES.index(row.label or "")) for row in examples(30, seed=4)]
    reviews = [LabelledText(" ".join(["good"] * 30), 2, True), LabelledText(" ".join(["bad"] * 30), 0, True)] * 4
    phrases = [LabelledText("a good day", 2, True), LabelledText("it was bad", 0, True)]
    return TrainingTexts(tweets, reviews, phrases, held_out, reviews[:2], phrases)


def weights(start: object) -> Mapping[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in start.model.state_dict().items()}


def test_a_stage_draws_all_tweets_and_windows_of_some_reviews_the_same_for_the_same_seed(texts: TrainingTexts) -> None:
    drawn = draw(texts, tiny_start().tokenizer, MIXTURE)
    again, other = (draw(texts, tiny_start().tokenizer, replace(MIXTURE, seed=seed)) for seed in (42, 7))
    assert len(drawn) == 30 + 6 + 9
    assert drawn.two_class.tolist() == [False] * 30 + [True] * 15
    assert set(drawn.lengths[30:36].tolist()) <= {8, 12}
    assert np.array_equal(drawn.ids, again.ids)
    assert not np.array_equal(drawn.ids, other.ids)


def test_batches_say_whose_corpus_knows_no_neutral(texts: TrainingTexts) -> None:
    drawn = draw(texts, tiny_start().tokenizer, MIXTURE)
    assert collate([row_of(drawn, 0, 12), row_of(drawn, 30, 12), row_of(drawn, 30, 5)]).two_class.tolist() == [
        False,
        True,
        True,
    ]
    plan = BatchPlan(drawn, np.arange(len(drawn)), STAGE.training)
    batches = [plan.batch(0, piece) for step in plan.epoch(0) for piece in step.pieces]
    assert sum(int(batch.two_class.sum()) for batch in batches) == 15


def test_a_stage_lowers_the_loss_and_leaves_one_checkpoint(texts: TrainingTexts, tmp_path: Path) -> None:
    many = [LabelledText(row.text, THREE_CLASSES.index(row.label or "")) for row in examples(300)]
    stage = replace(STAGE, training=replace(STAGE.training, learning_rate=2e-2))
    progress = fit(tiny_start(), replace(texts, tweets=many), stage, None, tmp_path)
    assert progress.finished
    assert progress.history[-1]["validation_accuracy"] > 0.6
    assert [folder.name for folder in tmp_path.iterdir()] == [f"step-{progress.step:08d}"]


def test_a_stage_that_was_killed_ends_with_the_weights_of_one_that_ran_through(
    texts: TrainingTexts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tiny_start()
    told = fit(whole, texts, STAGE, None, tmp_path / "whole")
    keep = LatestCheckpoint.keep

    def killed(keeper: LatestCheckpoint, figures: Mapping[str, float], write: object) -> None:
        if figures["step"] > 4:
            raise KeyboardInterrupt
        keep(keeper, figures, write)

    monkeypatch.setattr(LatestCheckpoint, "keep", killed)
    with pytest.raises(KeyboardInterrupt):
        fit(tiny_start(), texts, STAGE, None, tmp_path / "killed")
    monkeypatch.undo()
    taken_up = tiny_start(seed=9)
    assert fit(taken_up, texts, STAGE, None, tmp_path / "killed").step == told.step
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(taken_up)[name]), name
    done = tiny_start(seed=8)
    assert fit(done, texts, STAGE, None, tmp_path / "killed").step == told.step
    assert torch.equal(done.model.head.weight, whole.model.head.weight)


def test_a_stage_ends_when_its_time_is_up(texts: TrainingTexts, tmp_path: Path) -> None:
    assert fit(tiny_start(), texts, STAGE, 1e-6, tmp_path).step == 1


def test_a_checkpoint_that_was_not_finished_does_not_count(tmp_path: Path) -> None:
    keeper = LatestCheckpoint(tmp_path)
    keeper.keep({"step": 3.0}, lambda folder: (folder / "a").touch())

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        keeper.keep({"step": 5.0}, fail)
    assert keeper.latest == tmp_path / "step-00000003"
    keeper.keep({"step": 7.0}, lambda folder: (folder / "b").touch())
    assert [folder.name for folder in tmp_path.iterdir()] == ["step-00000007"]


def test_the_stages_are_those_of_the_card() -> None:
    assert (BROAD.training.most_steps, BROAD.training.learning_rate, BROAD.training.seed) == (1500, 1.2e-4, 42)
    assert (NARROW.training.learning_rate, NARROW.neutral_weight, NARROW.mixture.reviews) == (8e-5, 0.0, 2500)
