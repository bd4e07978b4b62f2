"""A comparison trains through Ray, and an evaluation's report becomes an artifact of its run in MLflow."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("ray", reason="training needs the train extra")

from mlflow import MlflowClient

from sentiment.datasets import open_datasets
from sentiment.models.zoo import save_model
from sentiment.settings import load_settings
from tests.free_ports import free_ports
from tests.tiny_training import TINY, examples, tiny_start
from train_jobs.compare.comparison import CompareConfig, compare_and_keep
from train_jobs.evaluate import EvaluateConfig, evaluate_and_keep
from train_jobs.runtime.tracking_server import tracking_server
from train_jobs.train.ray_train import ray_running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    found = load_settings(home=tmp_path_factory.mktemp("home"), mlflow_port=free_ports(1)[0])
    open_datasets(found).push("toys", examples(240), source="tests")
    save_model(tiny_start(), found.home / "backbone")
    with tracking_server(found) as uri, ray_running(None, 2):
        yield found.model_copy(update={"tracking_uri": uri})


def test_a_trained_model_stands_beside_the_linear_one_and_its_version_can_be_evaluated(settings, tmp_path):
    shared = ("learning_rate", "batch_tokens", "batch_rows", "window_tokens", "dtype")
    training = {name: getattr(TINY, name) for name in shared}
    training |= {"backbone": str(settings.home / "backbone"), "epochs": 4}
    config = CompareConfig("toys@1", models=("minilm",), training=training, threads=1)
    outcome = compare_and_keep(settings, config, tmp_path / "out")
    linear, minilm = outcome["result"]["models"]
    assert linear["test_accuracy"] > 0.8
    assert minilm["epoch_s"] > 0
    assert minilm["parameters"] == minilm["trained_parameters"] > 1000
    assert minilm["training_peak_bytes"] > 100 << 20
    assert minilm["file_bytes"] > 1000
    assert "| minilm |" in (tmp_path / "out" / "comparison.md").read_text()
    names = _artifacts(settings, outcome["run_id"])
    assert names == {f"comparison.{ending}" for ending in ("json", "md", "png", "svg")}

    again = compare_and_keep(settings, config, tmp_path / "out")
    assert again["result"] == outcome["result"], "what was measured before is not measured again"

    version = next((settings.home / "runs").glob("compare-minilm-*/version"))
    asked = EvaluateConfig(str(version), "toys@1", slices=True, cases=2, performance=False, threads=1)
    found = evaluate_and_keep(settings, asked, report=None, track=True)
    assert _artifacts(settings, found["run_id"]) == {"report.html", "evaluation.json"}
    run = MlflowClient(settings.tracking_uri).get_run(found["run_id"])
    assert run.data.metrics["accuracy"] == pytest.approx(found["result"]["figures"]["accuracy"])
    assert run.data.tags["dataset"] == "toys@1"
    assert run.data.tags["dataset_digest"] == open_datasets(settings).find("toys@1").digest
    json.dumps(found, allow_nan=False)


def _artifacts(settings, run_id):
    return {file.path for file in MlflowClient(settings.tracking_uri).list_artifacts(run_id)}
