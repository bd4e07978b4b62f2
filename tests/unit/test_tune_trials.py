"""A trial of a search without Ray: what it asks for beside the others, and how it tells why it was stopped."""

from __future__ import annotations

import os
from dataclasses import replace
from types import SimpleNamespace

import pytest

tune = pytest.importorskip("ray.tune", reason="searching needs the train extra")
pytest.importorskip("torch", reason="searching needs the train extra")

from train_jobs.capacity import Need  # noqa: E402
from train_jobs.train import cpus_of  # noqa: E402
from tune.plan import Search  # noqa: E402
from tune.search import _resources, _trial, need_of  # noqa: E402
from tune.space import parse_space  # noqa: E402


def search(concurrent: int = 1, workers: int = 1) -> Search:
    space = parse_space({"space": {"epochs": {"int": [1, 3]}}})
    return Search("s", {"data": "toys@1", "model": "cnn"}, space, "random", concurrent=concurrent, workers=workers)


@pytest.mark.parametrize(("concurrent", "workers", "cpus"), [(1, 1, 8), (2, 1, 4), (2, 2, 2), (9, 1, 1)])
def test_a_trial_takes_its_part_of_the_processors_so_that_others_run_beside_it(
    concurrent: int, workers: int, cpus: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    sought = search(concurrent, workers)
    config = sought.config_at({})
    assert need_of(sought, config) == Need(workers, cpus)
    assert concurrent * workers * cpus <= cpus_of(concurrent * workers, config)


@pytest.mark.parametrize(("workers", "resources"), [(1, {"CPU": 3}), (2, {"memory": 64 * 2**20})])
def test_a_trial_s_process_asks_for_its_cpus_where_it_trains_itself_and_leaves_them_to_ray_train_else(
    workers: int, resources: dict[str, float]
) -> None:
    sought = replace(search(workers=workers), base={"data": "toys@1", "model": "cnn", "threads": 3})
    assert _resources(sought, {"epochs": 1}).bundles == [resources]


def test_a_trial_that_ray_stopped_tells_why_in_one_line() -> None:
    report = (
        'ray::run_trial() (pid=7)\n  File "/app/tune/search.py", line 53, in run_trial\nRuntimeError: no kernel image'
    )
    result = SimpleNamespace(
        metrics_dataframe=None, metrics=None, config={"epochs": 1}, error=RuntimeError(report), path="/home/tune/s/t1"
    )
    assert _trial(search(), result).reason == "RuntimeError: no kernel image"
