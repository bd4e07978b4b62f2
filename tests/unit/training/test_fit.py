"""The training loop without Ray: it learns, repeats itself, is taken up anywhere, and is the same for two workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from sentiment.errors import Conflict, InvalidInput, ModelRejected  # noqa: E402
from sentiment.training import fit  # noqa: E402
from sentiment.training.batching.batches import Batch  # noqa: E402
from sentiment.training.checkpoint import MODEL, STATE, TrainingProgress  # noqa: E402
from sentiment.training.config import TrainConfig  # noqa: E402
from sentiment.training.fit import TrainingLoop, steps_between_checkpoints  # noqa: E402
from sentiment.training.objectives.objective import dtype_of  # noqa: E402
from tests.tiny_training import TINY, material, tiny_start  # noqa: E402


class Keeper:
    """Keeps every checkpoint in a folder; may stop the run after one of the steps, as a kill would."""

    def __init__(self, folder: Path, killed_after: int | None = None) -> None:
        self.folder, self.killed_after = folder, killed_after
        self.kept: list[dict[str, float]] = []
        self.reports: list[dict[str, float]] = []
        self.latest: Path | None = None

    def report(self, figures: Mapping[str, float]) -> None:
        self.reports.append(dict(figures))

    def keep(self, figures: Mapping[str, float], write: Callable[[Path], None]) -> None:
        if self.killed_after is not None and figures["step"] > self.killed_after:
            raise KeyboardInterrupt
        folder = self.folder / str(len(self.kept))
        folder.mkdir(parents=True)
        write(folder)
        self.kept.append(dict(figures))
        self.latest = folder


def run(config: TrainConfig, keeper: Keeper, resume: Path | None = None) -> tuple[TrainingLoop, TrainingProgress]:
    fit = TrainingLoop(tiny_start(), material(config), config, keeper)
    if resume:
        fit.resume(resume)
    return fit, fit.run()


def weights(fit: TrainingLoop) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in fit.start.model.state_dict().items()}


def assert_same(one: TrainingLoop, other: TrainingLoop) -> None:
    for name, tensor in weights(one).items():
        assert torch.equal(tensor, weights(other)[name]), name


def without_time(progress: TrainingProgress) -> list[dict[str, object]]:
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in progress.history]


def test_a_run_learns_to_tell_kind_words_from_harsh_ones(tmp_path: Path) -> None:
    _, progress = run(replace(TINY, epochs=10, learning_rate=2e-2), Keeper(tmp_path))
    assert progress.finished
    assert progress.history[-1]["validation_accuracy"] > 0.7
    assert progress.history[-1]["train_loss"] < progress.history[0]["train_loss"]


def test_a_run_whose_weights_grow_beyond_all_numbers_ends_with_the_field_to_change(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    with pytest.raises(InvalidInput, match="training diverged before step") as caught:
        run(replace(TINY, learning_rate=1e30), keeper)
    assert caught.value.field == "learning_rate"
    assert not keeper.kept


def test_the_same_seed_repeats_a_run_exactly_and_another_does_not(tmp_path: Path) -> None:
    first, told = run(TINY, Keeper(tmp_path / "a"))
    again, told_again = run(TINY, Keeper(tmp_path / "b"))
    other, _ = run(replace(TINY, seed=7), Keeper(tmp_path / "c"))
    assert_same(first, again)
    assert without_time(told) == without_time(told_again)
    assert not torch.equal(first.start.model.head.weight, other.start.model.head.weight)


@pytest.mark.parametrize("killed_after", [1, 2, 4])
def test_a_run_killed_within_an_epoch_and_taken_up_ends_like_one_never_ended(tmp_path: Path, killed_after: int) -> None:
    config = replace(TINY, checkpoint_every_steps=1, accumulation=2, windows="draw", window_tokens=8)
    whole, told = run(config, Keeper(tmp_path / "whole"))
    killed = Keeper(tmp_path / "killed", killed_after)
    with pytest.raises(KeyboardInterrupt):
        run(config, killed)
    torch.manual_seed(99)  # a new process knows nothing of the old one's generator
    taken_up, told_then = run(config, Keeper(tmp_path / "again"), killed.latest)
    assert_same(whole, taken_up)
    assert without_time(told) == without_time(told_then)


def test_a_finished_run_taken_up_does_no_more_steps(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "a")
    first, told = run(TINY, keeper)
    again, told_again = run(TINY, Keeper(tmp_path / "b"), keeper.latest)
    assert_same(first, again)
    assert told.step == told_again.step


def test_a_run_is_not_taken_up_with_another_configuration_or_model(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    run(TINY, keeper)
    assert keeper.latest
    with pytest.raises(Conflict, match=r"learning_rate 0\.005, not 0\.1"):
        run(replace(TINY, learning_rate=0.1), Keeper(tmp_path / "b"), keeper.latest)
    with pytest.raises(ModelRejected, match="a model with another config: layers 1, not 2"):
        TrainingLoop(tiny_start(layers=2), material(TINY), TINY, keeper).resume(keeper.latest)


def test_a_run_is_not_taken_up_on_texts_that_have_changed(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "a")
    _, told = run(TINY, keeper)
    assert keeper.latest
    whole = material(TINY)
    fewer = replace(whole, plan=replace(whole.plan, numbers=whole.plan.numbers[1:]))
    with pytest.raises(Conflict, match="started on other texts"):
        TrainingLoop(tiny_start(), fewer, TINY, keeper).resume(keeper.latest)
    content = torch.load(keeper.latest / STATE, weights_only=True)
    del content["material"]
    torch.save(content, keeper.latest / STATE)
    _, told_again = run(TINY, Keeper(tmp_path / "b"), keeper.latest)
    assert told.step == told_again.step, "one that does not tell is trusted"


def test_a_run_is_not_taken_up_with_another_number_of_workers(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "a")
    _, told = run(TINY, keeper)
    assert keeper.latest
    with pytest.raises(
        Conflict, match=r"--workers 1, not 2: resume it with --workers 1, or .* another --name"
    ) as caught:
        TrainingLoop(tiny_start(), material(TINY, workers=2), TINY, keeper).resume(keeper.latest)
    assert caught.value.field == "workers"
    content = torch.load(keeper.latest / STATE, weights_only=True)
    del content["workers"]
    torch.save(content, keeper.latest / STATE)
    _, told_again = run(TINY, Keeper(tmp_path / "b"), keeper.latest)
    assert told.step == told_again.step, "one that does not tell is trusted"


def test_a_checkpoint_that_is_older_than_a_field_was_begun_with_its_default(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "a")
    _, told = run(TINY, keeper)
    assert keeper.latest
    content = torch.load(keeper.latest / STATE, weights_only=True)
    del content["config"]["steps"]
    torch.save(content, keeper.latest / STATE)
    _, told_again = run(TINY, Keeper(tmp_path / "b"), keeper.latest)
    assert told.step == told_again.step
    with pytest.raises(Conflict, match=r'steps \[\], not \["lower"\]:'):
        run(replace(TINY, steps=("lower",)), Keeper(tmp_path / "c"), keeper.latest)


def test_a_broken_checkpoint_is_named(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    run(TINY, keeper)
    assert keeper.latest
    (keeper.latest / "state.pt").write_bytes(b"half")
    with pytest.raises(ModelRejected, match=r"state\.pt cannot be read as a checkpoint"):
        run(TINY, Keeper(tmp_path / "b"), keeper.latest)


def test_accumulating_two_batches_is_the_step_of_both(tmp_path: Path) -> None:
    whole = replace(TINY, epochs=1, batch_rows=100, batch_tokens=10_000, optimizer="sgd")
    parts = replace(whole, batch_rows=20, accumulation=100)
    one, _ = run(whole, Keeper(tmp_path / "a"))
    other, told = run(parts, Keeper(tmp_path / "b"))
    assert told.step == 1
    for name, tensor in weights(one).items():
        assert torch.allclose(tensor, weights(other)[name], atol=1e-6), name


def test_a_run_ends_when_its_time_is_up_and_is_judged_then(tmp_path: Path) -> None:
    _, told = run(TINY, Keeper(tmp_path / "a"))
    _, progress = run(replace(TINY, most_seconds=1e-6), Keeper(tmp_path / "b"))
    assert (progress.step, progress.finished, len(progress.history)) == (1, True, 1)
    _, unbounded = run(replace(TINY, most_seconds=1e6), Keeper(tmp_path / "c"))
    assert unbounded.step == told.step > 1


def test_a_loss_of_the_material_s_own_is_learned_by(tmp_path: Path) -> None:
    config = replace(TINY, epochs=10, learning_rate=2e-2)

    def contrary(logits: torch.Tensor, _: torch.Tensor | None, batch: Batch) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(logits, 2 - batch.labels, reduction="none")

    own = TrainingLoop(tiny_start(), replace(material(config), loss=contrary), config, Keeper(tmp_path))
    assert own.run().history[-1]["validation_accuracy"] < 0.4


def test_patience_ends_a_run_that_gets_no_better(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    _, progress = run(replace(TINY, epochs=20, learning_rate=1e-9, patience=2), keeper)
    assert len(progress.history) == 3
    assert progress.finished


def test_only_validated_checkpoints_have_a_score_and_a_lower_loss_is_a_better_one(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    run(replace(TINY, epochs=2, checkpoint_every_steps=2, monitor="loss"), keeper)
    scored = [figures for figures in keeper.kept if "score" in figures]
    assert 2 == len(scored) < len(keeper.kept)
    assert all(figures["score"] == -figures["validation_loss"] for figures in scored)
    assert (tmp_path / "0" / MODEL / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("given", "total_steps", "between"), [(None, 150, 200), (None, 5_001, 251), (30, 5_001, 30), (None, 4_000, 200)]
)
def test_a_long_epoch_can_be_taken_up_from_each_twentieth_of_the_run(
    given: int | None, total_steps: int, between: int
) -> None:
    assert steps_between_checkpoints(replace(TINY, checkpoint_every_steps=given), total_steps) == between


def test_a_long_run_keeps_checkpoints_within_an_epoch_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "_LEAST_BETWEEN_CHECKPOINTS", 1)
    keeper = Keeper(tmp_path)
    _, progress = run(TINY, keeper)
    assert TINY.checkpoint_every_steps is None
    assert len(keeper.kept) == progress.step > len(progress.history)


def test_reports_tell_step_loss_throughput_and_time_left(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    run(replace(TINY, epochs=4), keeper)
    last = keeper.reports[-1]
    assert last["step"] == last["total_steps"]
    assert last["eta_s"] == 0.0
    assert all(report["texts_per_s"] > 0 for report in keeper.reports)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "adagrad", "sgd"])
def test_every_optimiser_moves_the_weights(tmp_path: Path, optimizer: str) -> None:
    fit, _ = run(replace(TINY, epochs=1, optimizer=optimizer), Keeper(tmp_path))
    assert not torch.equal(fit.start.model.head.weight, tiny_start().model.head.weight)


def test_one_class_only_is_refused() -> None:
    data = material(TINY)
    data.plan.texts.labels[:] = np.int16(1)
    with pytest.raises(InvalidInput, match="have 1 of the classes"):
        TrainingLoop(tiny_start(), data, TINY, Keeper(Path()))


@pytest.mark.parametrize(
    ("amx", "bf16", "expected"),
    [(False, False, torch.float32), (True, False, torch.bfloat16), (False, True, torch.bfloat16)],
)
def test_a_cpu_computes_in_bfloat16_where_it_has_instructions_for_it(monkeypatch, amx, bf16, expected):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)
    assert dtype_of("auto", "cpu") is expected
    assert dtype_of("float32", "cpu") is torch.float32
