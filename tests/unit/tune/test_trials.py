"""A trial of a search without Ray: what it asks for beside the others, and how it tells why it was stopped."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest

tune = pytest.importorskip("ray.tune", reason="searching needs the train extra")
pytest.importorskip("torch", reason="searching needs the train extra")

from train_jobs.runs.capacity import ResourceRequest  # noqa: E402
from train_jobs.train.ray_train import cpus_of  # noqa: E402
from tune.plan import HyperparameterSearch  # noqa: E402
from tune.progress.watch import TrialWatch, WatchedSearch, watching  # noqa: E402
from tune.space import parse_space  # noqa: E402
from tune.trial import run as trial_module  # noqa: E402
from tune.trial.run import resource_request_of, with_fixed_threads  # noqa: E402
from tune.trials import _renew_resources, _resources, _trial  # noqa: E402


def search(concurrent: int = 1, workers: int = 1) -> HyperparameterSearch:
    space = parse_space({"space": {"epochs": {"int": [1, 3]}}})
    return HyperparameterSearch(
        "s", {"data": "toys@1", "model": "cnn"}, space, "random", concurrent=concurrent, workers=workers
    )


@pytest.mark.parametrize(("concurrent", "workers", "cpus"), [(1, 1, 8), (2, 1, 4), (2, 2, 2), (9, 1, 1)])
def test_a_trial_takes_its_part_of_the_processors_so_that_others_run_beside_it(
    concurrent: int, workers: int, cpus: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    sought = search(concurrent, workers)
    config = sought.config_at({})
    assert resource_request_of(sought, config) == ResourceRequest(workers, cpus)
    assert concurrent * workers * cpus <= cpus_of(concurrent * workers, config)


@pytest.mark.parametrize(("workers", "resources"), [(1, {"CPU": 3}), (2, {"memory": 64 * 2**20})])
def test_a_trial_s_process_asks_for_its_cpus_where_it_trains_itself_and_leaves_them_to_ray_train_else(
    workers: int, resources: dict[str, float]
) -> None:
    sought = replace(search(workers=workers), base={"data": "toys@1", "model": "cnn", "threads": 3})
    assert _resources(sought, {"epochs": 1}).bundles == [resources]


@pytest.mark.parametrize(("concurrent", "gpus", "threads"), [(1, 0, 2), (3, 0, 2), (1, 1, None)])
def test_the_cpus_of_all_trials_are_settled_by_what_the_cluster_has_when_the_search_begins(
    concurrent: int, gpus: float, threads: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        trial_module, "need_on_cluster", lambda *given: ResourceRequest(given[1], 2 if given[3] == concurrent else 9)
    )
    asked = with_fixed_threads(replace(search(concurrent), gpus_per_worker=gpus))
    assert asked.base.get("threads") == threads
    assert resource_request_of(asked, asked.config_at({"epochs": 1})) == ResourceRequest(1, threads or 1, gpus)


def test_threads_that_are_given_or_searched_for_are_those_that_a_trial_asks_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = replace(search(), base={"data": "toys@1", "model": "cnn", "threads": 3})
    assert with_fixed_threads(given) is given
    monkeypatch.setattr(trial_module, "need_on_cluster", lambda *_: ResourceRequest(1, 2))
    asked = with_fixed_threads(replace(search(), space=parse_space({"space": {"threads": {"choice": [None, 1, 4]}}})))
    needs = [resource_request_of(asked, asked.config_at({"threads": threads})) for threads in (None, 1, 4)]
    assert needs == [ResourceRequest(1, 2), ResourceRequest(1, 1), ResourceRequest(1, 4)]


def test_a_search_that_is_taken_up_asks_for_what_there_is_here_and_not_where_it_was_begun() -> None:
    asked: list[list[dict[str, float]]] = []

    def trial(status: str) -> SimpleNamespace:
        return SimpleNamespace(
            status=status, config={"epochs": 1}, update_resources=lambda group: asked.append(group.bundles)
        )

    here = replace(search(), base={"data": "toys@1", "model": "cnn", "threads": 2})
    watched = WatchedSearch([], on_begin=partial(_renew_resources, here))
    with watching("s", watched):
        for _ in range(2):  # once is enough
            TrialWatch("s").on_step_begin(trials=[trial("PENDING"), trial("TERMINATED")])
    assert asked == [[{"CPU": 2}]]


def test_a_trial_that_ray_stopped_tells_why_in_one_line() -> None:
    report = (
        'ray::run_trial() (pid=7)\n  File "/app/tune/search.py", line 53, in run_trial\nRuntimeError: no kernel image'
    )
    result = SimpleNamespace(
        metrics_dataframe=None, metrics=None, config={"epochs": 1}, error=RuntimeError(report), path="/home/tune/s/t1"
    )
    assert _trial(search(), result).reason == "RuntimeError: no kernel image"
