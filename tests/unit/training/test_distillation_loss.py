"""The distillation loss against a reference computed by hand in numpy, and a student that learns by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="training needs the train extra")

from sentiment.errors import InvalidInput  # noqa: E402
from sentiment.labels import THREE_CLASSES  # noqa: E402
from sentiment.models.zoo import save_model  # noqa: E402
from sentiment.training.batching.batches import Batch  # noqa: E402
from sentiment.training.config import DistillConfig  # noqa: E402
from sentiment.training.fit import TrainingLoop  # noqa: E402
from sentiment.training.objectives.learner import Learner  # noqa: E402
from sentiment.training.objectives.loss import label_loss, soft_loss, state_loss  # noqa: E402
from sentiment.training.objectives.objective import TeacherTargets, distillation_loss  # noqa: E402
from sentiment.training.objectives.teacher import teacher_targets  # noqa: E402
from tests.tiny_model import build_tiny_version  # noqa: E402
from tests.tiny_training import TINY, encode, examples, material, tiny_start  # noqa: E402
from tests.unit.training.test_fit import Keeper  # noqa: E402

Floats = NDArray[np.float64]

_RANDOM = np.random.default_rng(5)
_STUDENT, _TEACHER = _RANDOM.normal(size=(4, 3)), _RANDOM.normal(size=(4, 3)) * 3
_STATES, _TEACHER_STATES = _RANDOM.normal(size=(4, 6)), _RANDOM.normal(size=(4, 6))
_LABELS, _WEIGHTS = np.array([0, 2, -1, 1]), np.array([2.0, 0.5, 1.5])


def softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def soft_by_hand(student: Floats, teacher: Floats, temperature: float) -> Floats:
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    return temperature**2 * (p * (np.log(p) - np.log(q))).sum(axis=1)


def hard_by_hand(student: Floats) -> Floats:
    chosen = [0.0 if label < 0 else -np.log(row[label]) for row, label in zip(softmax(student), _LABELS, strict=True)]
    return np.array(chosen) * np.where(_LABELS < 0, 0.0, _WEIGHTS[_LABELS])


def distance_by_hand(one: Floats, other: Floats) -> Floats:
    return 1 - (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 7.5])
def test_the_soft_loss_is_the_divergence_times_the_square_of_the_temperature(temperature: float) -> None:
    ours = soft_loss(torch.tensor(_STUDENT), torch.tensor(_TEACHER), temperature)
    np.testing.assert_allclose(ours, soft_by_hand(_STUDENT, _TEACHER, temperature), rtol=1e-9)


def test_the_label_loss_weighs_classes_and_passes_over_unknown_labels() -> None:
    ours = label_loss(torch.tensor(_STUDENT), torch.tensor(_LABELS), torch.tensor(_WEIGHTS))
    np.testing.assert_allclose(ours, hard_by_hand(_STUDENT), rtol=1e-9)


def test_the_state_loss_is_the_cosine_distance() -> None:
    ours = state_loss(torch.tensor(_STATES), torch.tensor(_TEACHER_STATES))
    np.testing.assert_allclose(ours, distance_by_hand(_STATES, _TEACHER_STATES), rtol=1e-9)


def test_the_whole_loss_is_the_weighted_sum_of_its_parts() -> None:
    config = DistillConfig("teacher", temperature=3.0, hard_weight=0.3, hidden_weight=0.7)
    none = torch.zeros(4, 1, dtype=torch.long)
    lesson = {"teacher_logits": torch.tensor(_TEACHER), "teacher_states": torch.tensor(_TEACHER_STATES)}
    batch = Batch(none, none, torch.tensor(_LABELS), none, **lesson)
    loss = distillation_loss(config, torch.tensor(_WEIGHTS))
    ours = loss(torch.tensor(_STUDENT), torch.tensor(_STATES), batch)
    soft, hard = soft_by_hand(_STUDENT, _TEACHER, 3.0), hard_by_hand(_STUDENT)
    expected = 0.7 * soft + 0.3 * hard + 0.7 * distance_by_hand(_STATES, _TEACHER_STATES)
    np.testing.assert_allclose(ours, expected, rtol=1e-9)


def test_a_student_that_says_what_its_teacher_says_has_nothing_to_learn() -> None:
    assert torch.allclose(soft_loss(torch.tensor(_TEACHER), torch.tensor(_TEACHER), 4.0), torch.zeros(4).double())


def test_a_student_comes_closer_to_its_teacher_without_any_label(tmp_path: Path) -> None:
    texts = encode()
    wanted = np.eye(3, dtype=np.float32)[texts.labels] * 4
    config = replace(TINY, epochs=6, learning_rate=2e-2, distill=DistillConfig("teacher", hard_weight=0.0))
    data = material(config, TeacherTargets(wanted))
    fit = TrainingLoop(tiny_start(), data, config, Keeper(tmp_path))
    data.plan.texts.labels[data.plan.numbers] = -1
    history = fit.run().history
    assert history[-1]["train_loss"] < 0.7 * history[0]["train_loss"]
    assert history[-1]["validation_accuracy"] > history[0]["validation_accuracy"]


def test_hidden_states_of_another_width_are_compared_through_a_projection(tmp_path: Path) -> None:
    teacher = tmp_path / "teacher"
    save_model(tiny_start(hidden=24, seed=4), teacher)
    lesson = teacher_targets(teacher, tmp_path, "digest", examples, THREE_CLASSES, states=True)
    assert lesson.states is not None
    assert lesson.states.shape == (len(examples()), 24)
    learner = Learner(tiny_start(), teacher_width=24)
    _, states = learner(torch.tensor([[2, 5, 3]]), torch.ones(1, 3, dtype=torch.long))
    assert states.shape == (1, 24)
    config = replace(TINY, epochs=2, distill=DistillConfig("teacher", hidden_weight=1.0))
    history = TrainingLoop(tiny_start(), material(config, lesson), config, Keeper(tmp_path / "kept")).run().history
    assert history[-1]["train_loss"] < history[0]["train_loss"]


def test_a_lesson_is_what_the_teacher_says_and_is_made_once(tmp_path: Path) -> None:
    teacher = tmp_path / "teacher"
    start = tiny_start(seed=4)
    save_model(start, teacher)
    read_times = []

    def read() -> list[object]:
        read_times.append(1)
        return examples()

    lesson = teacher_targets(teacher, tmp_path, "digest", read, THREE_CLASSES, states=False)
    again = teacher_targets(teacher, tmp_path, "digest", read, THREE_CLASSES, states=False)
    assert len(read_times) == 1
    assert np.array_equal(lesson.logits, again.logits)
    ids = torch.tensor([start.tokenizer.encode(examples()[7].text).ids])
    with torch.inference_mode():
        alone = start.model.eval()(ids, torch.ones_like(ids))
    np.testing.assert_allclose(lesson.logits[7], alone[0], atol=1e-5)


def test_a_lesson_computed_in_bfloat16_is_another_one_and_close(tmp_path: Path) -> None:
    teacher = tmp_path / "teacher"
    save_model(tiny_start(seed=4), teacher)

    def logits(dtype: torch.dtype) -> np.ndarray:
        return teacher_targets(teacher, tmp_path, "digest", examples, THREE_CLASSES, states=False, dtype=dtype).logits

    whole, short = logits(torch.float32), logits(torch.bfloat16)
    assert not np.array_equal(whole, short)
    np.testing.assert_allclose(short, whole, atol=0.05)


def test_a_version_that_is_only_an_export_teaches_its_probabilities(tmp_path: Path) -> None:
    version = build_tiny_version(tmp_path / "version")
    lesson = teacher_targets(version, tmp_path, "digest", examples, THREE_CLASSES, states=False)
    told = [THREE_CLASSES[place] for place in lesson.logits.argmax(axis=1)]
    assert told == [example.label for example in examples()]
    with pytest.raises(InvalidInput, match="hidden states"):
        teacher_targets(version, tmp_path, "digest", examples, THREE_CLASSES, states=True)


def test_a_teacher_of_another_label_set_is_refused(tmp_path: Path) -> None:
    version = build_tiny_version(tmp_path / "version", name="sentiment-reviews")
    with pytest.raises(InvalidInput, match="2 labels, but the data have 3"):
        teacher_targets(version, tmp_path, "digest", examples, THREE_CLASSES, states=False)
