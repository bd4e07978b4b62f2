"""The table of a comparison: verdicts, files and pictures, and figures that are kept for the next one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sentiment.errors import InvalidInput
from sentiment.evaluation.bootstrap import Interval, PairedDifference
from sentiment.evaluation.comparison import ComparedModel, Comparison, to_markdown, verdict
from train_jobs.compare.files import ModelMeasurement, cached_measurement, key_of, write_comparison

_MODEL = ComparedModel("cnn", 0.8, 0.79, 0.81, 0.99, 1500.0, parameters=2_620_801, file_bytes=3 << 20)
_LINEAR = ComparedModel("linear", 0.82, 0.82, 0.83, 1.0, 9000.0, linear=True, detail="TF-IDF of words")


def _against(difference, p_value=0.001):
    return PairedDifference("macro_recall", 0.8, 0.8 - difference, difference, Interval(-0.1, 0.1), p_value)


@pytest.mark.parametrize(
    ("difference", "p_value", "said"),
    [
        (0.05, 0.001, "yes: +5.00"),
        (0.004, 0.4, "not clearly: +0.40 (p 0.40)"),
        (-0.02, 0.001, "**no**"),
        (0, 1, "**no**"),
    ],
)
def test_the_verdict_follows_the_difference_and_its_p_value(difference, p_value, said):
    assert verdict(replace(_MODEL, against_linear=_against(difference, p_value))) == said
    assert verdict(_LINEAR) == "–"


def test_the_table_says_which_model_is_not_worth_its_price():
    beaten = replace(_MODEL, against_linear=_against(-0.03))
    table = to_markdown(Comparison("a@1", "b@1", "c@1", {"train": 9, "validation": 2, "test": 3}, (_LINEAR, beaten)))
    assert "| cnn | 2.62 M | – | – | 99.00 | 81.00 | 80.00 | 79.00 | – | – | 3.0 | 1,500 | **no** |" in table
    assert "Not worth its price: cnn does not beat the linear baseline." in table
    assert "- linear: TF-IDF of words" in table


def test_table_and_plots_are_written(tmp_path):
    found = Comparison("a@1", "b@1", "c@1", {"train": 9, "validation": 2, "test": 3}, (_LINEAR, _MODEL))
    write_comparison(found, tmp_path / "out")
    assert (tmp_path / "out" / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert ">cnn<" in (tmp_path / "out" / "comparison.svg").read_text().replace("\n", "")
    assert json.loads((tmp_path / "out" / "comparison.json").read_text())["models"][1]["parameters"] == 2_620_801
    with pytest.raises(InvalidInput, match="cannot be written"):
        write_comparison(found, tmp_path / "out" / "comparison.md" / "below")


def test_figures_are_taken_from_an_earlier_run_of_the_same_kind_only(tmp_path):
    calls = []

    def measure():
        calls.append(1)
        return ModelMeasurement(replace(_MODEL, against_linear=_against(0.1)), ("positive", "negative"))

    first = cached_measurement(tmp_path, key_of(["a"]), measure)
    assert cached_measurement(tmp_path, key_of(["a"]), measure) == first
    assert len(calls) == 1
    cached_measurement(tmp_path, key_of(["b"]), measure)
    assert len(calls) == 2


def test_a_half_written_file_of_figures_is_measured_anew(tmp_path):
    (tmp_path / "figures.json").write_text('{"key": "a", "mod')
    assert cached_measurement(tmp_path, "a", lambda: ModelMeasurement(_MODEL, ())).model == _MODEL
