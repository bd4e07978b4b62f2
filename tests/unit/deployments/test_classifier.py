"""What a Classifier replica refuses, and what it asks of Ray; no Ray is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ray import serve

from deployments.classifier import Classifier, classifier_app
from sentiment.errors import ModelRejected
from sentiment.settings import Settings
from sentiment.version import digest
from tests.tiny_model import build_tiny_version


def _options(**capacity: Any) -> serve.Deployment:
    return classifier_app("sentiment", 4, "0" * 64, **capacity)._bound_deployment


def test_other_content_than_the_digest_is_never_served(tmp_path: Path) -> None:
    folder = build_tiny_version(tmp_path / "version")
    asked = []

    def fetch(settings: Settings, name: str, version: int, wanted: str) -> Path:
        asked.append((name, version, wanted))
        return folder

    with pytest.raises(ModelRejected, match=f"has the digest {digest(folder)[:12]}, expected is 000000000000"):
        Classifier.func_or_class("sentiment", 10, "0" * 64, fetch=fetch)
    assert asked == [("sentiment", 10, "0" * 64)]


def test_a_version_on_cpus_runs_on_its_threads_and_token_budget() -> None:
    deployment = _options(replicas=2, cpus=0.5, threads=3, batch_tokens=128)
    assert deployment.name == "Classifier"
    assert deployment.num_replicas == 2
    options = deployment.ray_actor_options
    assert (options["num_cpus"], options["num_gpus"]) == (0.5, 0)
    assert "runtime_env" not in options  # for one Ray starts Python twice
    arguments = deployment.init_kwargs
    assert (arguments["device"], arguments["threads"], arguments["batch_tokens"]) == ("cpu", 3, 128)


def test_a_version_with_a_gpu_runs_there_on_the_gpus_own_token_budget() -> None:
    deployment = _options(gpus=1, batch_tokens=128)
    assert deployment.ray_actor_options["num_gpus"] == 1
    assert (deployment.init_kwargs["device"], deployment.init_kwargs["batch_tokens"]) == ("cuda", None)


def test_more_replicas_at_most_than_at_least_switch_autoscaling_on() -> None:
    assert _options(replicas=2)._deployment_config.autoscaling_config is None
    bounds = _options(replicas=2, max_replicas=5)._deployment_config.autoscaling_config
    assert (bounds.min_replicas, bounds.max_replicas, bounds.initial_replicas) == (2, 5, None)
    warmed = _options(replicas=2, max_replicas=5, initial_replicas=4)._deployment_config.autoscaling_config
    assert (warmed.min_replicas, warmed.initial_replicas) == (2, 4)
