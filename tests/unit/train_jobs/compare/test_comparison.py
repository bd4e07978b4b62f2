"""Comparing models: data split, recipes, teachers, and what is taken from an earlier run."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from cli.main import app
from sentiment.datasets import Example, open_datasets
from sentiment.errors import InvalidInput, ModelRejected
from sentiment.evaluation.baseline import BaselineFigures
from sentiment.evaluation.comparison import ComparedModel, to_markdown
from sentiment.evaluation.performance import measure_performance
from sentiment.settings import load_settings
from sentiment.version import read_version
from tests.tiny_model import NEGATIVE_WORDS, PLAIN_WORDS, POSITIVE_WORDS, build_tiny_version
from train_jobs.compare import comparison as compare
from train_jobs.compare import trained_versions
from train_jobs.compare.comparison import CompareConfig, compare_and_keep, config_of, names_of, run_comparison
from train_jobs.compare.files import ModelMeasurement
from train_jobs.compare.options import CompareOptions
from train_jobs.compare.plan import plan_of
from train_jobs.compare.splits import make_splits
from train_jobs.compare.trained_versions import TrainingSetup, trained_folder
from train_jobs.runs import capacity
from train_jobs.train import prepare
from train_jobs.train import ray_train as train_module
from train_jobs.train.prepare import RunLocations

_MODEL = ComparedModel("cnn", 0.8, 0.79, 0.81, 0.99, 1500.0, parameters=2_620_801, file_bytes=3 << 20)


def _rows(count=120):
    words = {"negative": NEGATIVE_WORDS, "neutral": PLAIN_WORDS, "positive": POSITIVE_WORDS}
    for number in range(count):
        label = ("negative", "neutral", "positive")[number % 3]
        yield Example(f"the {words[label][number % 10]} day at {number}", label)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    settings = load_settings(home=tmp_path_factory.mktemp("home"))
    open_datasets(settings).push("chat", [*_rows(), Example("nobody labelled this", None)], source="tests")
    return settings


@pytest.fixture
def quick(monkeypatch):
    """Stand in for the linear models: always negative; the real ones have tests of their own. Time one round."""

    def measure(train, validation, test):
        said = ("negative",) * len(test.texts)
        return BaselineFigures("words, linear SVM, C 1", 8, 10, 0.1, 0.5, 0.3, 0.3, 0.3, 1 / 3, said, 100.0, 1 << 20)

    monkeypatch.setattr(compare, "measure_baseline", measure)
    monkeypatch.setattr(trained_versions, "measure_performance", partial(measure_performance, least_s=0.0))


def test_one_version_is_split_in_three_that_share_no_text(settings):
    store = open_datasets(settings)
    splits = make_splits(store, "chat@1")
    parts = [{row.text for row in store.read(part)} for part in (splits.train, splits.validation, splits.test)]
    assert sum(map(len, parts)) == 120, "the row without a label is in none"
    assert len(set.union(*parts)) == 120, "no text is in two"
    assert make_splits(store, "chat").test == splits.test
    assert splits.train.parent == "chat@1"


def test_test_data_that_are_given_are_not_split_off(settings):
    splits = make_splits(open_datasets(settings), "chat@1", test="chat@1")
    assert splits.test.ref == "chat@1"
    assert splits.train.rows + splits.validation.rows == 120


def test_data_of_another_label_set_are_refused(settings):
    store = open_datasets(settings)
    store.push("reviews", [Example("a", "positive"), Example("b", "negative")], source="tests")
    with pytest.raises(InvalidInput, match=r"reviews@1 has the labels negative, positive; chat@1 has"):
        make_splits(store, "chat", test="reviews")
    with pytest.raises(InvalidInput, match="--validation is given without --test"):
        make_splits(store, "chat", validation="chat")


def test_a_preset_s_recipe_yields_to_what_is_set_for_all_and_for_it_alone(settings):
    splits = make_splits(open_datasets(settings), "chat@1")
    training = {"epochs": 2, "lstm": {"learning_rate": 0.5}}
    lstm, cnn = (TrainingSetup.of(name, training, splits, 1, 0).config for name in ("lstm", "cnn"))
    assert (lstm.learning_rate, lstm.epochs, cnn.learning_rate) == (0.5, 2, 1e-3)
    assert (cnn.data, cnn.validation) == (splits.train.ref, splits.validation.ref)
    with pytest.raises(InvalidInput, match="lstm is 3"):
        TrainingSetup.of("lstm", {"lstm": 3}, splits, 1, 0)


def test_versions_that_there_are_stand_beside_the_linear_baseline(settings, tmp_path, quick):
    folder = build_tiny_version(tmp_path / "version")
    found = run_comparison(settings, CompareConfig("chat@1", versions=(str(folder),), threads=1), tmp_path / "out")
    linear, tiny = found.models
    assert linear.linear
    assert tiny.test_accuracy > 0.9
    assert tiny.against_linear.difference == pytest.approx(tiny.test_macro_recall - 1 / 3)
    assert tiny.parameters is None, "an int8 version does not hold its weights"
    assert tiny.serving_peak_bytes > 10 << 20
    assert found.rows["train"] + found.rows["validation"] + found.rows["test"] == 120


def test_the_linear_baseline_reads_texts_after_the_steps_that_are_for_all(settings, tmp_path, quick, monkeypatch):
    read = []

    def measure(train, validation, test, measured=compare.measure_baseline):
        read.extend([*train.texts, *validation.texts, *test.texts])
        return measured(train, validation, test)

    monkeypatch.setattr(compare, "measure_baseline", measure)
    folder = str(build_tiny_version(tmp_path / "version"))
    for steps in ([], ["base", "lemma"]):
        config = CompareConfig("chat@1", versions=(folder,), training={"steps": steps})
        run_comparison(settings, config, tmp_path / "out")
    assert len(read) == 240
    assert sum("the worst day" in text for text in read) == sum("worst" in text for text in read[:120])
    with pytest.raises(InvalidInput, match="'spell' is unknown"):
        run_comparison(
            settings, CompareConfig("chat@1", versions=(folder,), training={"steps": ["spell"]}), tmp_path / "out"
        )


def train_here(settings, job, dataset, key, threads, on_report, *, log):
    """Stand in for a training: a version that answers well, in the folder where the real one leaves it."""
    log.append(job.config)
    build_tiny_version(trained_folder(settings, job, key))
    return ModelMeasurement(replace(_MODEL, name=job.config.model), tuple(row.label for row in dataset.test))


@pytest.fixture
def trained(monkeypatch, quick):
    log = []
    monkeypatch.setattr(compare, "train_version", partial(train_here, log=log))
    return log


def test_a_model_that_is_named_as_teacher_teaches_with_the_version_that_this_comparison_trained(
    settings, tmp_path, trained
):
    lesson = {"student": {"distill": {"teacher": "cnn", "temperature": 3}}}
    config = CompareConfig("chat@1", ("cnn", "student"), training={**lesson, "epochs": 1}, threads=1)
    run_comparison(settings, config, tmp_path / "out")
    cnn, student = trained
    teacher = Path(student.distill.teacher)
    assert cnn.distill is None
    assert student.distill.temperature == 3
    assert teacher.parent.name.startswith("compare-cnn-")
    assert read_version(teacher).digest
    run_comparison(settings, config, tmp_path / "out")
    assert len(trained) == 2, "both are taken from the first run"
    shutil.rmtree(teacher)
    run_comparison(settings, config, tmp_path / "out")
    assert [made.model for made in trained[2:]] == ["cnn"], "its figures are kept, but the student needs the version"
    run_comparison(settings, replace(config, training={**lesson, "epochs": 2}), tmp_path / "out")
    assert trained[-1].distill.teacher != str(teacher), "another teacher makes another student"


def test_ray_is_made_as_large_as_the_model_that_asks_for_most_and_a_small_one_is_told_before_anything_is_trained(
    settings, tmp_path, trained, monkeypatch
):
    opened = []

    @contextmanager
    def ray_running(address, cpus, gpus):
        opened.append((address, cpus, gpus))
        yield

    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(train_module, "ray_running", ray_running)
    monkeypatch.setattr(compare, "tracking_server", lambda _: nullcontext("http://mlflow"))
    monkeypatch.setattr(capacity.ray, "nodes", lambda: [{"Alive": True, "Resources": {"CPU": 2.0}}])
    monkeypatch.setattr(capacity.ray_state.state, "get_cluster_config", lambda: None)
    config = CompareConfig("chat@1", ("cnn", "lstm"), training={"lstm": {"threads": 4}})
    with pytest.raises(InvalidInput, match=r"1 worker with 4 CPUs, .*give --set threads=2 or less"):
        compare_and_keep(settings, config, tmp_path / "out")
    assert opened == [(None, 4, None)]
    assert trained == []


@pytest.mark.parametrize(
    ("models", "training"),
    [
        (("student", "cnn"), {"student": {"distill": {"teacher": "cnn"}}}),
        (("student",), {"student": {"distill": {"teacher": "cnn"}}}),
        (("cnn", "student"), {"distill": {"teacher": "cnn"}}),
    ],
)
def test_a_teacher_that_is_not_trained_before_is_refused_before_anything_is_trained(
    settings, tmp_path, trained, models, training
):
    config = CompareConfig("chat@1", models, training=training)
    with pytest.raises(InvalidInput, match="learns from cnn, which this comparison does not train before it"):
        run_comparison(settings, config, tmp_path)
    assert trained == []


def test_a_model_that_cannot_be_trained_has_its_reason_in_the_table_beside_the_others(
    settings, tmp_path, quick, monkeypatch
):
    log = []

    def train(settings, job, *rest):
        if job.config.model == "cnn":
            raise ModelRejected("the graph is 0.3 off\nthe network's logits")
        return train_here(settings, job, *rest, log=log)

    monkeypatch.setattr(compare, "train_version", train)
    lesson = {"student": {"distill": {"teacher": "cnn"}}}
    config = CompareConfig("chat@1", ("cnn", "lstm", "student"), training=lesson)
    found = run_comparison(settings, config, tmp_path / "out")
    assert [model.name for model in found.models] == ["linear", "lstm"]
    assert list(found.missing) == ["cnn", "student"]
    rows = [line for line in to_markdown(found).splitlines() if line.startswith(("| cnn", "| student"))]
    assert rows[0].endswith("| not compared: the graph is 0.3 off the network's logits |")
    assert rows[1].endswith("| not compared: its teacher cnn could not be trained |")
    assert {row.count("|") for row in rows} == {14}
    monkeypatch.setattr(compare, "train_version", partial(train_here, log=log))
    again = run_comparison(settings, config, tmp_path / "out")
    assert [model.name for model in again.models] == ["linear", "cnn", "lstm", "student"]
    assert again.missing == {}


def test_what_may_move_is_fixed_once_for_all_models(settings, tmp_path, trained, monkeypatch):
    asked = []

    def find(opened, ref):
        asked.append(str(ref))
        return SimpleNamespace(version=6 + len(asked))

    monkeypatch.setattr(prepare, "Registry", lambda uri: None)
    monkeypatch.setattr(prepare, "find_version", find)
    lesson = {"distill": {"teacher": "champion"}}
    config = CompareConfig("chat", ("cnn",), ("models:/sentiment@challenger",), training=lesson)
    plan = plan_of(settings, config)
    assert plan.config.data == "chat@1"
    fixed = plan.fixed(RunLocations.of(settings))
    assert asked == ["models:/sentiment@challenger", "models:/sentiment@champion"]
    assert fixed.config.versions == ("models:/sentiment/7",)
    assert fixed.config.training["distill"]["teacher"] == "models:/sentiment/8"
    assert fixed.jobs["cnn"].config.distill.teacher == "models:/sentiment/8"


def test_nothing_is_measured_when_there_is_nothing_to_compare_or_an_unknown_preset(settings, tmp_path):
    with pytest.raises(InvalidInput, match="Nothing to compare"):
        run_comparison(settings, CompareConfig("chat@1"), tmp_path)
    with pytest.raises(InvalidInput, match="has fields for lstm, which is not compared"):
        run_comparison(settings, CompareConfig("chat@1", ("cnn",), training={"lstm": {"epochs": 2}}), tmp_path)
    with pytest.raises(InvalidInput, match="There is no preset 'gpt'"):
        run_comparison(settings, CompareConfig("chat@1", models=("gpt",)), tmp_path)


def test_options_become_a_configuration():
    changes = ["window_tokens=256", "cnn.learning_rate=1e-2"]
    config = config_of(CompareOptions(data="a@1", models="lstm,cnn,lstm", epochs=4, changes=changes))
    assert config.models == ("lstm", "cnn")
    assert config.training == {"window_tokens": 256, "cnn": {"learning_rate": 0.01}, "epochs": 4}
    assert names_of(" a, ,b ") == ("a", "b")
    changes = ["lstm.distill.teacher=cnn", "lstm.distill.temperature=3"]
    taught = config_of(CompareOptions(data="a@1", models="cnn,lstm", changes=changes)).training
    assert taught == {"lstm": {"distill": {"teacher": "cnn", "temperature": 3}}}


def test_the_commands_refuse_what_cannot_be_had_from_a_cluster(settings):
    for words in (
        ["evaluate", "8", "--data", "chat", "--report", "x.html", "--address", "http://127.0.0.1:1"],
        ["compare", "--data", "chat", "--out", "x", "--address", "http://127.0.0.1:1"],
    ):
        answer = CliRunner().invoke(app, words)
        assert answer.exit_code == 1
        assert "names a place on this machine" in answer.stderr


def test_undertone_evaluate_prints_a_summary_or_one_line(settings, tmp_path):
    folder = build_tiny_version(tmp_path / "version")
    words = ["evaluate", str(folder), "--data", "chat", "--cases", "0", "--no-performance", "--no-track"]
    words += ["--home", str(settings.home)]
    report = tmp_path / "report.html"
    shown = CliRunner().invoke(app, [*words, "--report", str(report)])
    assert "| macro-recall |" in shown.stdout
    assert report.read_text().startswith("<!doctype html>")
    (line,) = CliRunner().invoke(app, [*words, "--json"]).stdout.splitlines()
    assert json.loads(line)["data"]["ref"] == "chat@1"
