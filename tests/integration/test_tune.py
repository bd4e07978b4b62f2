"""A search on a real Ray: trainings as trials, a failed one told, and the search taken up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ray
import ray.tune
import yaml

from sentiment.datasets import open_datasets
from sentiment.errors import InvalidInput
from sentiment.settings import Settings
from sentiment.training.config import from_mapping
from tests.tiny_backbone import own_backbone
from tests.tiny_training import examples
from train_jobs.train import ray_running
from tune.plan import Search, best_of
from tune.results import plain, write_best
from tune.search import search_for
from tune.space import parse_space

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
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

    def started(self, trial: str, point: Mapping[str, Any]) -> None:
        self.points.append(dict(point))

    def validated(self, trial: str, figures: Mapping[str, float], validation: int) -> None:
        self.scores.append(figures["score"])

    def ended(self, trial: str, failed: bool) -> None:
        self.ends.append(failed)

    def waiting(self, text: str) -> None:
        raise AssertionError(text)


def search(settings: Settings, name: str, space: Mapping[str, Any], **options: Any) -> Search:
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
        "most_failures": 0,
    }
    return Search(name, base, parse_space({"space": space}), **options)


def test_a_grid_trains_every_point_tells_why_one_failed_and_is_taken_up(settings: Settings, tmp_path: Path) -> None:
    asked = search(settings, "grid", {"overrides.dropout": {"choice": [0.1, 2.0]}}, method="grid", concurrent=2)
    heard = Heard()
    trials = search_for(asked, settings, None, [heard])
    assert sorted(point["overrides.dropout"] for point in heard.points) == [0.1, 2.0]
    assert sorted(heard.ends) == [False, True]
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


def rising(point: dict[str, Any], search: Search, settings: Settings, registry: str | None) -> None:
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
