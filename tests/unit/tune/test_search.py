"""When a search, and the job that it is on a cluster, says that it begins: once nothing is left that refuses it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("ray", reason="training needs the train extra")

from sentiment.datasets import open_datasets
from sentiment.errors import NotFound, Unavailable
from sentiment.labels import THREE_CLASSES
from sentiment.settings import Settings, load_settings
from tests.tiny_training import examples
from train_jobs.runs import capacity, storage_probe
from train_jobs.runtime import tracking_server
from train_jobs.runtime.output import OUTCOME
from train_jobs.train import ray_train as train_module
from train_jobs.train.prepare import RunLocations
from tune import results
from tune import search as tune_job
from tune import trials as search
from tune.options import SearchOptions
from tune.plan import HyperparameterSearch
from tune.trial import run as trial

REQUIRE_NODES = tune_job.require_nodes
SPACE = json.dumps({"space": {"learning_rate": {"choice": [0.001, 0.01]}}})
TOYS = {"data": "toys@1", "model": "cnn", "changes": ["window_tokens=16"]}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    @contextmanager
    def server(_: Settings) -> Iterator[str]:
        yield "http://mlflow"

    run = SimpleNamespace(run_id="7" * 32, finish=lambda status="FINISHED": None)
    monkeypatch.setattr(tracking_server, "tracking_server", server)
    monkeypatch.setattr(results, "MlflowTrials", lambda *_: SimpleNamespace(parent=run, tell=lambda *_: None))
    monkeypatch.setattr(results, "plain", lambda *_: {"best": {}, "interrupted": False})
    monkeypatch.setattr(tune_job, "require_nodes", lambda *_: None)
    monkeypatch.setattr(results, "write_best", lambda *_: None)
    found = load_settings(home=tmp_path)
    open_datasets(found).push("toys", examples(30), source="tests")
    return found


def searched(settings: Settings, on_begin: Callable[[], None]) -> None:
    asked = tune_job.search_of(SearchOptions(space=SPACE, search="grid", **TOYS, name="mine"))
    tune_job.run_search(asked, settings, None, settings.home / "best.yaml", on_begin=on_begin)


def test_a_search_begins_once_ray_is_there_and_before_its_first_trial(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    @contextmanager
    def ray_running(*_: Any) -> Iterator[None]:
        steps.append("Ray runs")
        yield

    monkeypatch.setattr(train_module, "ray_running", ray_running)
    monkeypatch.setattr(search, "search_for", lambda *_: steps.append("trials"))
    searched(settings, lambda: steps.append("begins"))
    assert steps == ["Ray runs", "begins", "trials"]


def test_a_search_that_finds_no_cluster_has_not_begun(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def ray_running(*_: Any) -> None:
        raise Unavailable("there is no Ray cluster to join")

    begun: list[str] = []
    monkeypatch.setattr(train_module, "ray_running", ray_running)
    with pytest.raises(Unavailable, match="no Ray cluster"):
        searched(settings, lambda: begun.append("mine"))
    assert begun == []


@pytest.mark.parametrize("refused", [False, True])
def test_a_job_names_its_search_at_once_and_says_that_it_begins_when_it_does(
    refused: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run_search(asked: HyperparameterSearch, *others: Any) -> dict[str, Any]:
        if refused:
            raise NotFound("no such dataset")
        others[-1]()
        return {"search": asked.name}

    monkeypatch.setenv("UNDERTONE_HOME", str(tmp_path))
    monkeypatch.setattr(tune_job, "run_search", run_search)
    options = ["--space", SPACE, "--data", "toys@1", "--name", "mine"]
    begins = "Search mine starts; if it is interrupted, the same command with --name mine resumes it."
    with caplog.at_level("INFO"):
        if refused:
            with pytest.raises(SystemExit):
                tune_job.run_from_command_line("", options)
            assert caplog.messages == ["search mine"]
        else:
            tune_job.run_from_command_line("", options)
            assert caplog.messages == ["search mine", begins]
            assert capsys.readouterr().out == f'{OUTCOME}{{"search": "mine"}}\n'


def test_a_search_warns_of_a_class_that_its_trials_cannot_learn(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_datasets(settings)
    store.push(
        "two", (each for each in store.read("toys") if each.label != "neutral"), source="t", labels=THREE_CLASSES
    )
    monkeypatch.setattr(
        tracking_server, "tracking_server", lambda _: pytest.fail("the warning comes before the server")
    )
    fields = {**TOYS, "data": "two@1", "changes": ["validation=toys@1", "window_tokens=16"]}
    asked = tune_job.search_of(SearchOptions(space=SPACE, search="grid", **fields, name="mine"))
    with pytest.raises(pytest.fail.Exception):
        tune_job.run_search(asked, settings, None, settings.home / "best.yaml")
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("No text of two@1 that is trained on is neutral; all of them are elsewhere (10 in toys")


def test_every_need_and_every_dataset_of_a_search_is_asked_of_the_nodes_before_its_first_trial(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs: list[int] = []
    probed: list[tuple[str, str]] = []
    space = {"threads": {"choice": [1, 4]}, "data": {"choice": ["toys@1", "others@1"]}}
    asked = tune_job.search_of(SearchOptions(space=json.dumps({"space": space}), data="toys@1", model="cnn"))
    monkeypatch.setattr(trial, "with_fixed_threads", lambda asked: asked)
    monkeypatch.setattr(capacity, "require_capacity", lambda need: needs.append(need.cpus))
    monkeypatch.setattr(
        storage_probe, "require_shared", lambda path, _, config, *__: probed.append((path, config.data))
    )
    REQUIRE_NODES(asked, settings, RunLocations.of(settings))
    assert set(needs) == {1, 4}
    where = str(settings.home / "tune" / f"{asked.name}-trainings")
    assert probed == [(where, "toys@1"), (where, "others@1")]
