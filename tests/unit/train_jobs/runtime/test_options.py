"""The options of jobs: what a command sends to a cluster is what its module reads there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from train_jobs.compare.options import CompareOptions
from train_jobs.evaluate_options import EvaluateOptions
from train_jobs.runtime.options import read_options, words_of
from train_jobs.score.options import ScoreOptions
from train_jobs.train.training_options import DistillOptions, TrainOptions
from tune.options import SearchOptions

OPTIONS: list[Any] = [
    EvaluateOptions(model="8", data="tweets@1"),
    EvaluateOptions(
        model="8", data="tweets@1", slices=True, performance=False, track=False, engine="onnx", seed=-1, against="7"
    ),
    CompareOptions(data="tweets@1", models="cnn,lstm", changes=["epochs=2", "cnn.seed=-1"], workers=2, out=Path("a b")),
    CompareOptions(data="tweets@1", versions="8", gpus_per_worker=0.5, config='{"epochs": 3}'),
    ScoreOptions(source="in/", model="champion", out="out/", delimiter=";", quoting="none", gpus=1.0, overwrite=True),
    ScoreOptions(source="s3://b/in", model="8", out="s3://b/out", text_column="two words", format="jsonl", least=2),
    SearchOptions(space='{"space": {"epochs": {"choice": [1]}}}', search="grid", trials=3, name="mine", seed=7),
    TrainOptions(data="tweets@1", epochs=2, learning_rate=1e-4, register_it=True, home=Path("home"), as_json=True),
    DistillOptions(teacher="8", data="tweets@1", mixed=5, hard_weight=0.0),
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: type(options).__name__)
def test_a_command_line_made_of_options_is_read_as_these(options):
    assert read_options(type(options), "python -m job", "", words_of(options)) == options


def test_what_is_as_by_default_is_not_said():
    assert words_of(EvaluateOptions(model="8", data="tweets@1", threads=2)) == ["8", "--data", "tweets@1"]


@pytest.mark.parametrize(
    "words", ["", "8", "8 --data d@1 --engine tensorrt", "8 9 --data d@1", "8 --data d@1 --cases -1"]
)
def test_a_command_line_that_cannot_be_read_ends_with_status_2(words, capsys):
    with pytest.raises(SystemExit) as caught:
        read_options(EvaluateOptions, "python -m train_jobs.evaluate", "", words.split())
    assert caught.value.code == 2
    assert "python -m train_jobs.evaluate" in capsys.readouterr().err
