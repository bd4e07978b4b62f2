"""The mean of models: what it is, whom it takes in, what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the zoo needs the train extra")
pytest.importorskip("transformers", reason="the zoo needs the train extra")

from sentiment.errors import InvalidInput  # noqa: E402
from sentiment.models.averaging import average, greedy, uniform  # noqa: E402
from sentiment.models.bundle import ModelBundle  # noqa: E402
from tests.tiny_backbone import own_backbone  # noqa: E402
from tests.tiny_training import tiny_start  # noqa: E402
from tests.tiny_zoo import make  # noqa: E402


def moved(by: float) -> ModelBundle:
    """Return the tiny encoder with all its weights moved by as much."""
    start = tiny_start()
    with torch.no_grad():
        for tensor in start.model.parameters():
            tensor.add_(by)
    return start


def place_of(start: ModelBundle) -> float:
    """Return how far a model has been moved."""
    return float((start.model.head.weight - tiny_start().model.head.weight).mean().detach())


def test_each_weight_is_the_mean_of_the_models_weights():
    found = average([moved(0.0), moved(0.3), moved(0.6)])
    expected = moved(0.3).model.state_dict()
    for name, tensor in found.model.state_dict().items():
        assert torch.allclose(tensor, expected[name], atol=1e-6)
    assert not found.model.training


def test_averaging_leaves_the_models_as_they_are():
    one, other = moved(0.0), moved(1.0)
    average([one, other])
    assert place_of(one) == pytest.approx(0.0)
    assert place_of(other) == pytest.approx(1.0)


def test_the_greedy_mean_starts_from_the_best_and_takes_in_only_what_does_not_harm():
    models = [moved(3.0), moved(0.4), moved(-0.5)]
    found, members, score = greedy(models, lambda start: -abs(place_of(start)))
    assert members == [1, 2]
    assert place_of(found) == pytest.approx(-0.05, abs=1e-5)
    assert score == pytest.approx(-0.05, abs=1e-5)


def test_the_best_stays_alone_where_every_other_harms():
    found, members, score = greedy([moved(1.0), moved(0.0)], lambda start: -abs(place_of(start)))
    assert (members, score) == ([1], pytest.approx(0.0))
    assert place_of(found) == pytest.approx(0.0)


def test_the_uniform_mean_takes_in_all_and_names_the_best_first():
    found, members, score = uniform([moved(3.0), moved(0.4), moved(-0.5)], lambda start: -abs(place_of(start)))
    assert members == [1, 2, 0]
    assert place_of(found) == pytest.approx(2.9 / 3, abs=1e-5)
    assert score == pytest.approx(-2.9 / 3, abs=1e-5)


def test_models_that_were_trained_with_other_dropout_have_a_mean(tmp_path: Path):
    backbone = own_backbone(tmp_path)
    found = average([make("bert-gru", backbone, dropout=0.1), make("bert-gru", backbone, dropout=0.3)])
    assert found.config.dropout == 0.1


def test_the_mean_reads_texts_after_the_steps_of_its_models_which_must_be_the_same():
    stepping = replace(tiny_start(), steps=("lower",))
    assert average([stepping, stepping]).steps == ("lower",)
    with pytest.raises(InvalidInput, match="text steps, none and lower"):
        average([stepping, tiny_start()])


def test_models_of_other_shapes_kinds_or_vocabularies_are_refused(tmp_path: Path):
    backbone = own_backbone(tmp_path)
    with pytest.raises(InvalidInput, match="cannot be averaged"):
        average([tiny_start(), tiny_start(layers=2)])
    with pytest.raises(InvalidInput, match=r"A cnn of .* and a encoder of"):
        average([make("minilm", backbone), make("cnn", backbone)])
    other = tiny_start()
    pieces = other.tokenizer.get_vocab()
    renamed = ModelBundle(other.model, other.config, make("minilm", backbone).tokenizer, "encoder")
    assert renamed.tokenizer.get_vocab() != pieces
    with pytest.raises(InvalidInput, match="different vocabularies"):
        average([other, renamed])
    with pytest.raises(InvalidInput, match="no model"):
        average([])
