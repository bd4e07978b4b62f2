"""A trial of a search without Ray: what it asks for beside the others, and how it tells why it was stopped."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

tune = pytest.importorskip("ray.tune", reason="searching needs the train extra")
pytest.importorskip("torch", reason="searching needs the train extra")

from sentiment.errors import InvalidInput  # noqa: E402
from sentiment.settings import Settings  # noqa: E402
from train_jobs import train  # noqa: E402
from train_jobs.capacity import Need  # noqa: E402
from train_jobs.train import cpus_of  # noqa: E402
from tune import search as search_module  # noqa: E402
from tune.plan import Search  # noqa: E402
from tune.search import _trial, run_trial  # noqa: E402
from tune.space import parse_space  # noqa: E402


def search(concurrent: int = 1, workers: int = 1) -> Search:
    space = parse_space({"space": {"epochs": {"int": [1, 3]}}})
    return Search("s", {"data": "toys@1", "model": "cnn"}, space, "random", concurrent=concurrent, workers=workers)


@pytest.mark.parametrize(("concurrent", "workers", "cpus"), [(1, 1, 8), (2, 1, 4), (2, 2, 2), (9, 1, 1)])
def test_a_trial_takes_its_part_of_the_processors_so_that_others_run_beside_it(
    concurrent: int, workers: int, cpus: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Need] = []

    def full(need: Need) -> None:
        asked.append(need)
        raise InvalidInput("no room", "threads")

    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(train, "require_trainable", lambda *_: None)
    monkeypatch.setattr(train, "pinned", lambda config, _: config)
    monkeypatch.setattr(train, "require_capacity", full)
    monkeypatch.setattr(search_module, "ToTune", lambda: None)
    monkeypatch.setattr(tune, "get_context", lambda: SimpleNamespace(get_trial_id=lambda: "t1"))
    sought = search(concurrent, workers)
    with pytest.raises(InvalidInput, match="no room"):
        run_trial({"epochs": 1}, sought, Settings(home=tmp_path), None)
    assert asked == [Need(workers, cpus)]
    assert concurrent * workers * cpus <= cpus_of(concurrent * workers, sought.config_at({}))


def test_a_trial_that_ray_stopped_tells_why_in_one_line() -> None:
    report = (
        'ray::run_trial() (pid=7)\n  File "/app/tune/search.py", line 53, in run_trial\nRuntimeError: no kernel image'
    )
    result = SimpleNamespace(
        metrics_dataframe=None, metrics=None, config={"epochs": 1}, error=RuntimeError(report), path="/home/tune/s/t1"
    )
    assert _trial(search(), result).reason == "RuntimeError: no kernel image"
