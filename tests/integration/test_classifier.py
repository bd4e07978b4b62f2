"""The Classifier on a real Ray: one version an application, bad texts alone, GPUs pinned by Ray."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
from ray import serve

from deployments.classifier import Fetch, classifier_app
from sentiment.version import digest
from serve_app.rollout.cluster.serve_internals import application_statuses, keep_replicas
from tests.running_platform import replicas_of
from tests.tiny_model import build_tiny_version

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    for name in ("RAY_SERVE_SLOW_STARTUP_WARNING_S", "RAY_SERVE_SLOW_STARTUP_WARNING_PERIOD_S"):
        patch.setenv(name, "5")  # when the status says what a replica waits for; 30 otherwise
    ray.init(address="local", num_cpus=4, num_gpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(proxy_location="Disabled")
    yield
    serve.shutdown()
    ray.shutdown()
    patch.undo()


@pytest.fixture(autouse=True)
def no_leftovers() -> Iterator[None]:
    yield
    for name in serve.status().applications:
        serve.delete(name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_version(tmp_path_factory.mktemp("version"), crash_word="kaboom")


def _from(folder: Path) -> Fetch:
    path = str(folder)
    return lambda settings, name, version, digest: Path(path)


def _wait_for(condition: Callable[[], Any], within_s: float = 120) -> Any:
    end = time.monotonic() + within_s
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def _start(app: serve.Application, name: str) -> None:
    target = serve.RunTarget(target=app, name=name, route_prefix=None)
    serve.run_many([target], wait_for_ingress_deployment_creation=False, wait_for_applications_running=False)


def _deployment(app: str) -> Any:
    application = serve.status().applications.get(app)
    return application and application.deployments.get("Classifier")


def _failed(app: str) -> str | None:
    """Return why the application could not be deployed, None while it may still be."""
    deployment = _deployment(app)
    failed = deployment and serve.status().applications[app].status == "DEPLOY_FAILED"
    return deployment.message if failed else None


def test_a_version_answers_micro_batches_and_explains_under_its_own_number(folder: Path) -> None:
    app = classifier_app("sentiment", 7, digest(folder), fetch=_from(folder))
    handle = serve.run(app, name="classifier-v7", route_prefix=None)
    answers = handle.classify.remote(["i love it", "kaboom", "the worst day"]).result(timeout_s=60)
    assert (answers.model, answers.version) == ("sentiment", 7)
    assert answers.probabilities[0][2] > 0.9
    assert answers.probabilities[1] is None
    assert set(answers.errors) == {1}
    assert answers.probabilities[2][0] > 0.9
    explanation = handle.explain.remote("i love trains").result(timeout_s=60)
    assert explanation.weights[explanation.words.index("love")] > 0.5
    assert explanation.version == 7
    state = handle.state.remote().result(timeout_s=60)
    assert state == {
        "model": "sentiment",
        "version": 7,
        "digest": digest(folder),
        "engine": "onnx-int8",
        "gpus": [],
    }


def test_each_gpu_replica_holds_its_own_gpu_and_one_more_than_there_are_waits(folder: Path) -> None:
    app = classifier_app("sentiment", 8, digest(folder), replicas=3, gpus=1, engine="onnx-int8", fetch=_from(folder))
    _start(app, "classifier-v8")
    states = {"RUNNING": 2, "STARTING": 1}
    assert _wait_for(lambda: (found := _deployment("classifier-v8")) and found.replica_states == states)
    waits = r'has 1 replicas that have taken more than 5s to be scheduled.*required for each replica: {"GPU": 1}'
    assert _wait_for(lambda: re.search(waits, _deployment("classifier-v8").message))
    assert application_statuses() == serve.status().applications
    handle = serve.get_deployment_handle("Classifier", "classifier-v8")
    held = [handle.state.remote().result(timeout_s=60)["gpus"] for _ in range(40)]
    assert sorted({tuple(gpus) for gpus in held}) == [("0",), ("1",)]


def test_a_version_without_safetensors_is_refused_on_a_gpu_with_the_remedy_in_the_status(folder: Path) -> None:
    _start(classifier_app("sentiment", 9, digest(folder), gpus=1, fetch=_from(folder)), "classifier-v9")
    message = _wait_for(lambda: _failed("classifier-v9"))
    assert "needs model.safetensors" in message
    assert "python -m train_jobs.shipped_model.default_model" in message


def test_another_least_number_of_replicas_starts_none_anew_and_serves_on(folder: Path) -> None:
    app = classifier_app("sentiment", 9, digest(folder), max_replicas=3, initial_replicas=2, fetch=_from(folder))
    _start(app, "classifier-v9")
    assert _wait_for(lambda: _running("classifier-v9") == 2)
    before = _pids()

    assert keep_replicas("classifier-v9", "Classifier", 2)
    assert _wait_for(lambda: not keep_replicas("classifier-v9", "Classifier", 2))  # then it is so already
    handle = serve.get_deployment_handle("Classifier", "classifier-v9")
    for _ in range(20):
        assert len(handle.classify.remote(["a good day"]).result(timeout_s=30).probabilities) == 1
        time.sleep(0.1)
    assert _pids() == before

    assert keep_replicas("classifier-v9", "Classifier", 3)
    assert _wait_for(lambda: _running("classifier-v9") == 3)
    assert before < _pids()


def _running(app: str) -> int:
    deployment = _deployment(app)
    return deployment.replica_states.get("RUNNING", 0) if deployment else 0


def _pids() -> set[int]:
    """Return the processes of all classifiers' replicas."""
    return {process.pid for process in replicas_of("Classifier", psutil.Process().children(recursive=True))}
