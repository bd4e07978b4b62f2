"""A search on a real Ray beside another one: trainings as trials, failed and killed ones, interruption, no room."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ray
import ray.tune
import yaml
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from sentiment.datasets import open_datasets
from sentiment.errors import InvalidInput
from sentiment.settings import Settings
from sentiment.training.config import from_mapping
from tests.tiny_backbone import own_backbone
from tests.tiny_training import examples
from train_jobs.runtime.ray_cluster import give_room_back, note_room
from train_jobs.train.ray_train import ray_running
from tune.interruption import interruptible
from tune.plan import HyperparameterSearch, best_of, is_cut_off
from tune.progress import waiting
from tune.results import plain, write_best
from tune.space import parse_space
from tune.trials import search_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def other_ray() -> Iterator[None]:
    """A Ray of another process on this machine, as a running platform has one."""
    code = "import ray, sys; ray.init(address='local', num_cpus=1, include_dashboard=False); print(); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"\n"
    yield
    process.communicate(timeout=60)


@pytest.fixture(scope="module")
def settings(other_ray: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=home, datasets=str(home / "datasets"))
    open_datasets(settings).push("toys", examples(48), source="toys")
    own_backbone(home / "backbone")
    with ray_running(None, 3):
        yield settings


class Heard:
    """Remembers what it is told of trials."""

    def __init__(self) -> None:
        self.points: list[dict[str, Any]] = []
        self.scores: list[float] = []
        self.ends: list[bool] = []
        self.waits: list[str] = []

    def started(self, trial: str, point: Mapping[str, Any]) -> None:
        self.points.append(dict(point))

    def validated(self, trial: str, figures: Mapping[str, float], validation: int) -> None:
        self.scores.append(figures["score"])

    def ended(self, trial: str, failed: bool) -> None:
        self.ends.append(failed)

    def waiting(self, text: str) -> None:
        self.waits.append(text)


def search(settings: Settings, name: str, space: Mapping[str, Any], **options: Any) -> HyperparameterSearch:
    base = {
        "model": "minilm",
        "backbone": str(settings.home / "backbone"),
        "data": "toys@1",
        "epochs": 2,
        "window_tokens": 16,
        "batch_rows": 16,
        "batch_tokens": 256,
        "dtype": "float32",
        "threads": 1,
        "validation_share": 0.25,
        "most_failures": 2,
    }
    return HyperparameterSearch(name, base, parse_space({"space": space}), **options)


def test_a_grid_trains_every_point_tells_why_one_failed_and_is_taken_up(settings: Settings, tmp_path: Path) -> None:
    asked = search(settings, "grid", {"overrides.dropout": {"choice": [0.1, 2.0]}}, method="grid", concurrent=2)
    heard = Heard()
    trials = search_for(asked, settings, None, [heard])
    assert sorted(point["overrides.dropout"] for point in heard.points) == [0.1, 2.0]
    assert (sorted(heard.ends), heard.waits) == ([False, True], [])
    good, bad = sorted(trials, key=lambda trial: trial.state != "finished")
    assert (good.state, good.validations, good.score) == ("finished", 2, max(heard.scores))
    assert good.figures["validation_macro_recall"] == good.score
    assert (bad.state, bad.score) == ("failed", None)
    assert "dropout" in str(bad.reason)
    assert "Traceback" not in str(bad.reason)
    write_best(plain(asked, trials, tmp_path / "best.yaml", None), tmp_path / "best.yaml")
    config = from_mapping(yaml.safe_load((tmp_path / "best.yaml").read_text()))
    assert config.overrides["dropout"] == 0.1

    again = search_for(asked, settings, None)
    assert best_of(again).score == good.score
    assert best_of(again).name == good.name
    with pytest.raises(InvalidInput, match="seed"):
        search_for(replace(asked, seed=7), settings, None)


def rising(point: dict[str, Any], search: HyperparameterSearch, settings: Settings, registry: str | None) -> None:
    """Stand for a training whose score rises with its learning rate."""
    scores = [point["learning_rate"] * validation for validation in (1, 2, 3, 4)]
    for epoch, score in enumerate(scores, 1):
        ray.tune.report({"score": score, "epoch": epoch, "validation_accuracy": score, "validations": epoch})
    ray.tune.report({"score": scores[-1], "training": search.name})


@pytest.mark.parametrize("method", ["asha", "optuna"])
def test_trials_are_drawn_within_the_space_and_asha_gives_the_worse_ones_up(method: str, settings: Settings) -> None:
    space = {"learning_rate": {"loguniform": [1e-4, 1e-2]}, "epochs": {"int": [1, 3]}}
    asked, heard = search(settings, method, space, method=method, trials=4), Heard()
    trials = search_for(asked, settings, None, [heard], run=rising)
    assert len({trial.point["learning_rate"] for trial in trials}) == 4
    assert all(1e-4 <= trial.point["learning_rate"] <= 1e-2 for trial in trials)
    assert all(1 <= trial.point["epochs"] <= 3 for trial in trials)
    best = best_of(trials)
    assert best.score == pytest.approx(4 * max(trial.point["learning_rate"] for trial in trials))
    assert (best.state, best.validations) == ("finished", 4)
    given_up = [trial for trial in trials if trial.state == "stopped"]
    assert bool(given_up) == (method == "asha")
    assert all(trial.validations < 4 for trial in given_up)
    assert len(heard.scores) == sum(trial.validations for trial in trials)


def test_trainings_that_asha_gives_up_leave_their_cores_to_the_next_beside_another_ray(settings: Settings) -> None:
    space = {"learning_rate": {"choice": [1e-2, 1e-3, 1e-6, 1e-7]}}
    asked, heard = search(settings, "beside", space, method="asha"), Heard()
    trials = search_for(asked, settings, None, [heard])
    assert sorted(trial.point["learning_rate"] for trial in trials) == [1e-7, 1e-6, 1e-3, 1e-2]
    assert {trial.state for trial in trials} <= {"finished", "stopped"}
    assert (heard.ends, heard.waits) == ([False] * 4, [])


def dying(point: dict[str, Any], search: HyperparameterSearch, settings: Settings, registry: str | None) -> None:
    """Stand for a training whose process is killed once in epoch 1, and each time in epoch 3."""
    mark = settings.home / f"died-{point['epochs']}"
    ray.tune.report({"score": point["epochs"] - 0.5, "validations": 1})
    if point["epochs"] == 3 or (point["epochs"] == 1 and not mark.exists()):
        with mark.open("a") as file:
            file.write("died\n")
        os.kill(os.getpid(), signal.SIGKILL)
    ray.tune.report({"score": point["epochs"], "seconds": os.getpid(), "training": search.name})


def test_a_killed_trial_is_started_anew_and_takes_no_other_s_result_with_it(settings: Settings) -> None:
    asked = search(settings, "dying", {"epochs": {"choice": [1, 2, 3, 4]}}, method="grid")
    trials = {trial.point["epochs"]: trial for trial in search_for(asked, settings, None, run=dying)}
    assert [trials[epochs].state for epochs in (1, 2, 3, 4)] == ["finished", "finished", "failed", "finished"]
    assert [trials[epochs].score for epochs in (1, 2, 3, 4)] == [1, 2, 2.5, 4]
    assert (settings.home / "died-1").read_text() == "died\n"
    assert (settings.home / "died-3").read_text() == "died\n" * 3
    assert trials[1].figures["seconds"] == trials[2].figures["seconds"]  # one process did both


class Interrupting(Heard):
    """Ends the search at the second trial's first validation, as Ctrl+C or SIGTERM does."""

    def validated(self, trial: str, figures: Mapping[str, float], validation: int) -> None:
        super().validated(trial, figures, validation)
        if len(self.points) == 2:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Ray Tune leaves a file of its own open
def test_an_interrupted_search_returns_what_ended_and_is_taken_up_where_it_was(settings: Settings) -> None:
    asked = search(settings, "cut", {"learning_rate": {"choice": [0.1, 0.2, 0.3]}}, method="grid")
    with interruptible() as interruption:
        trials = search_for(asked, settings, None, [Interrupting()], run=rising)
    assert interruption.status == 143
    assert is_cut_off(asked, trials)
    assert [trial.state for trial in trials[:2]] == ["finished", "unfinished"]
    again = search_for(asked, settings, None, run=rising)
    assert not is_cut_off(asked, again)
    assert [trial.state for trial in again] == ["finished"] * 3
    gc.collect()  # now, and not in a test that takes warnings for errors


class Releasing(Heard):
    """Gives room as soon as it is told that a trial waits for some."""

    def __init__(self, group: PlacementGroup) -> None:
        super().__init__()
        self.group = group

    def waiting(self, text: str) -> None:
        super().waiting(text)
        remove_placement_group(self.group)


def test_a_trial_that_finds_no_room_says_so_and_begins_when_there_is_some(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_FIRST_S", 1.0)
    group = placement_group([{"CPU": 3}])
    ray.get(group.ready(), timeout=60)
    heard = Releasing(group)
    asked = search(settings, "full", {"learning_rate": {"choice": [0.1]}}, method="grid")
    (trial,) = search_for(asked, settings, None, [heard], run=rising)
    assert trial.state == "finished"
    (line,) = heard.waits
    assert line.startswith("1 trial waits for 1 CPU on one node; free in the cluster: 0 of 3 CPUs.")


def test_the_room_of_workers_whose_trial_was_ended_is_given_back() -> None:
    group = placement_group([{"CPU": 2}])
    ray.get(group.ready(), timeout=60)
    worker = ray.remote(num_cpus=2)(note_room)
    ray.get(worker.options(scheduling_strategy=PlacementGroupSchedulingStrategy(group)).remote("t-1"), timeout=60)
    assert not give_room_back("another")
    assert ray.util.placement_group_table(group)["state"] == "CREATED"
    assert give_room_back("t-1")
    assert ray.util.placement_group_table(group)["state"] == "REMOVED"
    assert not give_room_back("t-1")
