"""A training as a job on a cluster that `ray start` made, its checkpoints on S3, one of its workers killed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the train extra")

from sentiment.datasets import open_datasets
from sentiment.models.zoo import save_model
from sentiment.predictor import Predictor
from sentiment.registry import Registry
from sentiment.settings import load_settings
from sentiment.version import read_version
from tests.contract.s3_servers import BUCKET, ENVIRONMENT, S3Server, client_of, start_moto
from tests.free_ports import free_port
from tests.ray_head import RayHead
from tests.tiny_training import examples, tiny_start
from train_jobs.runtime.tracking_server import tracking_server

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

STEPS, EVERY = 480, 40
_KILLED_AFTER = 3  # validations: the last one's checkpoint may not be known yet, the first one's is


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def s3(folder: Path) -> Iterator[S3Server]:
    patch = pytest.MonkeyPatch()
    for name, value in ENVIRONMENT.items():
        patch.setenv(name, value)
    server = start_moto(folder)
    client_of(server.endpoint).create_bucket(Bucket=BUCKET)
    yield server
    server.stop()
    patch.undo()


@pytest.fixture(scope="module")
def registry(folder: Path) -> Iterator[str]:
    settings = load_settings(home=folder / "home", mlflow_port=free_port())
    open_datasets(settings).push("toys", examples(240), source="tests")
    save_model(tiny_start(), settings.home / "backbone")
    with tracking_server(settings) as uri:
        yield uri


@pytest.fixture(scope="module")
def head(folder: Path, s3: S3Server, registry: str) -> Iterator[RayHead]:
    known = {"UNDERTONE_HOME": str(folder / "home"), "UNDERTONE_TRACKING_URI": registry}
    cluster = RayHead(folder, {**ENVIRONMENT, **known, "UNDERTONE_S3_ENDPOINT": s3.endpoint})
    yield cluster
    cluster.stop()


def training(home: Path) -> list[str]:
    """Return the options of a training of `STEPS` steps in two workers that is validated after each `EVERY`."""
    fields = {"batch_rows": 6, "batch_tokens": 200, "window_tokens": 16, "learning_rate": 5e-3, "threads": 1}
    fields |= {"validation_share": 0.2, "dtype": "float32", "validate_every_steps": EVERY}
    options = [word for name, value in fields.items() for word in ("--set", f"{name}={value}")]
    return ["--data", "toys@1", "--model", "minilm", "--backbone", str(home / "backbone"), "--epochs", "30", *options]


def test_a_job_on_a_cluster_goes_on_from_s3_when_a_worker_is_killed_and_ends_in_a_version(
    head: RayHead, folder: Path, registry: str, s3: S3Server
) -> None:
    home, killed, steps = folder / "home", False, []
    storage = ["--address", head.address, "--workers", "2", "--storage", f"s3://{BUCKET}/runs", "--name", "on-cluster"]
    job = head.run("train", *training(home), *storage, "--register")
    assert job.stderr
    said = []
    for line in job.stderr:
        said.append(line)
        if found := re.match(r"step (\d+)  macro_recall", line):
            steps.append(int(found[1]))
        if len(steps) == _KILLED_AFTER and not killed:
            head.processes("RayTrainWorker")[-1].kill()
            killed = True
    out, _ = job.communicate(timeout=60)
    assert job.returncode == 0, "".join(said)
    assert killed
    assert list(dict.fromkeys(steps)) == list(range(EVERY, STEPS + 1, EVERY))
    assert steps.count(EVERY) == 1, "it began anew"
    assert_recovery_is_told("".join(said))
    assert "Registered as models:/sentiment/1" in out
    kept = client_of(s3.endpoint).list_objects_v2(Bucket=BUCKET, Prefix="runs/on-cluster/checkpoint_")["Contents"]
    assert any(entry["Key"].endswith("/state.pt") for entry in kept)
    version = read_version(home / "runs" / "on-cluster" / "version")
    [registered] = Registry(registry).versions("sentiment")
    assert registered.digest == version.digest
    assert Predictor.load(version).predict(["i love this wonderful day"]).probabilities


def assert_recovery_is_told(log: str) -> None:
    """The log says once which worker was lost and from where it went on, and holds nothing of libraries."""
    [lost] = re.findall(
        r"workers? [01](?: and 1)? w\S+ lost after step (\d+) \(127\.0\.0\.1: its process was killed\)", log
    )
    [resumed] = re.findall(r"training goes on from step (\d+)", log)
    assert EVERY <= int(resumed) <= int(lost) + 10, "reports come each ten steps"
    for chatter in ("::progress", "HTTP Request", "job_manager.py", "Running entrypoint", "Warning", "raylet"):
        assert chatter not in log


def test_a_job_that_cannot_be_done_tells_why_and_a_wrong_token_is_named(head: RayHead, folder: Path) -> None:
    refused = head.run("train", *training(folder / "home"), "--address", head.address, "--data", "nothing@1")
    _, said = refused.communicate(timeout=900)
    assert refused.returncode == 1
    assert "Error: " in said
    assert "There is no dataset nothing" in said.splitlines()[-1]
    lost = head.run("train", *training(folder / "home"), "--address", head.address, "--storage", "s3://nowhere/runs")
    _, said = lost.communicate(timeout=900)
    assert "there is no bucket 'nowhere'" in said
    stranger = head.run("train", "--data", "toys@1", "--address", head.address, RAY_AUTH_TOKEN="f" * 32)
    _, said = stranger.communicate(timeout=900)
    assert stranger.returncode == 1
    assert "does not accept the job" in said
    assert "RAY_AUTH_TOKEN" in said
