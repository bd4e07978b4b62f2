"""What a training asks of Ray, and what it is told when there is no room for it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("ray", reason="training needs the train extra")

from sentiment.errors import InvalidInput
from sentiment.training.config import from_mapping
from tests.tiny_training import TINY
from train_jobs.runs import capacity
from train_jobs.runs.capacity import (
    ResourceRequest,
    in_words,
    need_on_cluster,
    own_cpus,
    own_gpus,
    require_capacity,
    require_own_gpus,
    shortage,
)
from train_jobs.train.ray_train import cpus_of, ray_running


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand for a Ray whose autoscaler has told nothing and whose nodes are idle."""
    monkeypatch.setattr(capacity.ray_state.state, "get_cluster_config", lambda: None)
    monkeypatch.setattr(capacity, "free_resources", lambda: [node["Resources"] for node in capacity.alive_nodes()])


def groups(*known: tuple[Mapping[str, float], int]) -> Any:
    """Return what an autoscaler tells: what a node of each group has, and how many there may be."""
    return SimpleNamespace(
        node_group_configs=[SimpleNamespace(resources=dict(each), max_count=most) for each, most in known]
    )


def nodes(*resources: Mapping[str, float], **labels: str) -> list[dict[str, Any]]:
    return [{"Alive": True, "Resources": dict(each), "Labels": labels} for each in resources]


@pytest.mark.parametrize(
    ("need", "found", "field"),
    [
        (ResourceRequest(1, 2), [{"CPU": 2.0}], None),
        (ResourceRequest(2, 2), [{"CPU": 2.0}, {"CPU": 3.0}], None),
        (ResourceRequest(1, 4), [{"CPU": 2.0}, {"CPU": 2.0}], "threads"),
        (ResourceRequest(3, 2), [{"CPU": 4.0}, {"CPU": 1.0}], "workers"),
        (ResourceRequest(1, 1, 1), [{"CPU": 8.0}], "gpus_per_worker"),
        (ResourceRequest(2, 1, 1), [{"CPU": 8.0, "GPU": 1.0}], "workers"),
        (ResourceRequest(2, 1, 0.5), [{"CPU": 8.0, "GPU": 1.0}], None),
        (ResourceRequest(1, 1, 1), [{"CPU": 8.0}, {"GPU": 1.0}], "gpus_per_worker"),
        (ResourceRequest(1, 1, 1), [{"GPU": 1.0}], "gpus_per_worker"),
        (ResourceRequest(1, 1), [], "threads"),
    ],
)
def test_all_workers_must_fit_on_the_nodes_and_the_field_that_asks_for_too_much_is_named(
    need: ResourceRequest, found: list[dict[str, float]], field: str | None
) -> None:
    assert shortage(need, found) == field


def test_what_ray_has_no_room_for_is_refused_with_the_field_and_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = {"Alive": False, "Resources": {"CPU": 64.0}}
    monkeypatch.setattr(capacity.ray, "nodes", lambda: [*nodes({"CPU": 2.0}), gone])
    require_capacity(ResourceRequest(2, 1))
    with pytest.raises(
        InvalidInput, match=r"asks for 1 worker with 4 CPUs, .*\(its nodes: 1 with 2 CPUs, 0 GPUs\).*threads=2"
    ) as caught:
        require_capacity(ResourceRequest(1, 4))
    assert caught.value.field == "threads"
    with pytest.raises(InvalidInput, match=r"4 workers with 1 CPU and 1 GPU each.*lower --gpus-per-worker"):
        require_capacity(ResourceRequest(4, 1, 1))


@pytest.mark.parametrize(
    ("need", "found", "remedy", "useless"),
    [
        (ResourceRequest(2, 1, 1), [{"CPU": 8.0, "GPU": 1.0}], "lower --workers or --gpus-per-worker", "threads"),
        (
            ResourceRequest(1, 1, 1),
            [{"CPU": 8.0}, {"GPU": 1.0}],
            "no node has a CPU and 1 GPU: lower --gpus-per-worker",
            "threads",
        ),
        (ResourceRequest(1, 64), [{"CPU": 2.0}, {"CPU": 4.0}], "give --set threads=4 or less", "lower"),
        (ResourceRequest(3, 1), [{"CPU": 2.0}], "lower --workers,", "threads"),
        (ResourceRequest(3, 2), [{"CPU": 4.0}], "lower --workers, or give --set threads=1", "--gpus"),
        (ResourceRequest(3, 4), [{"CPU": 8.0}], "lower --workers, or give --set threads=2 or less", "--gpus"),
        (ResourceRequest(3, 4), [{"CPU": 2.0}], "lower --workers and give --set threads=2 or less", "--gpus"),
        (ResourceRequest(9, 4), [{"CPU": 8.0}], "lower --workers,", "threads"),
        (ResourceRequest(1, 1), [], "no node has a CPU: add one", "--workers"),
    ],
)
def test_the_remedy_is_one_that_helps(
    need: ResourceRequest, found: list[dict[str, float]], remedy: str, useless: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity.ray, "nodes", lambda: nodes(*found))
    with pytest.raises(InvalidInput) as caught:
        require_capacity(need)
    told = str(caught.value).partition("): ")[2]
    assert told.startswith(remedy)
    assert useless not in told
    assert told.endswith("or name a larger cluster with --address")


def test_a_pool_that_may_grow_is_waited_for_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(capacity.ray, "nodes", lambda: nodes({"CPU": 2.0}, **{"ray.io/node-group": "workers"}))
    with caplog.at_level(logging.WARNING):
        require_capacity(ResourceRequest(4, 2))
    assert "4 workers with 2 CPUs each" in caplog.text
    assert "as soon as the cluster has grown" in caplog.text


def test_a_ray_of_one_s_own_counts_what_the_largest_training_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    asked = [ResourceRequest.of(replace(TINY, threads=threads), 1, 0) for threads in (2, 4, None)]
    assert [need.cpus for need in asked] == [2, 4, 2]
    assert own_cpus(asked) == 4
    assert own_cpus([]) == own_cpus([ResourceRequest(1, 1)]) == 2
    assert own_gpus(asked) is own_gpus([]) is None
    assert own_gpus([ResourceRequest(2, 1, 0.5), ResourceRequest(1, 1, 0.5)]) == 1


def test_trainings_that_run_side_by_side_fit_together_on_a_ray_of_one_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    for at_once, workers, threads in ((2, 1, None), (2, 2, None), (3, 2, None), (16, 1, None), (4, 1, 4)):
        config = replace(TINY, threads=threads)
        need = ResourceRequest.of(config, workers, 0, at_once)
        asked = at_once * need.workers * need.cpus
        assert asked <= cpus_of(at_once * workers, config)
        assert threads or asked > 4, "they use what there is"


def test_gpus_that_this_machine_has_not_are_refused_before_ray_pretends_to_have_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capacity.torch.cuda, "device_count", lambda: 0)
    with pytest.raises(InvalidInput, match=r"asks for 1 GPU in all, and PyTorch finds none.*--gpus-per-worker") as told:
        require_own_gpus(None, 1)
    assert told.value.field == "gpus_per_worker"
    with pytest.raises(InvalidInput), ray_running(None, 2, 1):
        pass
    require_own_gpus(None, None)
    require_own_gpus("http://head:8265", 8)
    monkeypatch.setattr(capacity.torch.cuda, "device_count", lambda: 2)
    require_own_gpus(None, 2)


@pytest.mark.parametrize(
    ("workers", "at_once", "held", "cpus"),
    [
        (2, 1, [{"CPU": 4.0}, {"CPU": 4.0}], 4),
        (3, 1, [{"CPU": 4.0}, {"CPU": 4.0}], 2),
        (2, 2, [{"CPU": 4.0}, {"CPU": 4.0}], 2),
        (1, 1, [{"CPU": 2.0}, {"CPU": 16.0}], 16),
        (4, 1, [{"CPU": 2.0}, {"CPU": 7.0}], 2),
        (9, 1, [{"CPU": 4.0}], 1),
        (1, 1, [{"CPU": 0.5}], 1),
        (1, 1, [{"GPU": 1.0}], 1),
    ],
)
def test_workers_ask_for_what_nodes_have_and_not_for_what_the_driver_s_machine_has(
    workers: int, at_once: int, held: list[dict[str, float]], cpus: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(capacity.ray, "nodes", lambda: nodes(*held))
    assert need_on_cluster(TINY, workers, 0, at_once).cpus == cpus
    assert need_on_cluster(replace(TINY, threads=7), workers, 0, at_once).cpus == 7
    assert need_on_cluster(TINY, workers, 1, at_once).cpus == 1


def test_a_training_takes_what_is_free_now_unless_that_is_not_enough_or_others_of_it_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capacity.ray, "nodes", lambda: nodes({"CPU": 8.0}, {"CPU": 8.0}))
    monkeypatch.setattr(capacity, "free_resources", lambda: [{"CPU": 3.0}, {}])
    assert need_on_cluster(TINY, 1, 0).cpus == 3
    assert need_on_cluster(TINY, 4, 0).cpus == 4, "it waits for all of it"
    assert need_on_cluster(TINY, 1, 0, at_once=2).cpus == 8


def test_a_cluster_without_nodes_yet_is_counted_by_the_nodes_that_it_may_get(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity.ray, "nodes", list)
    monkeypatch.setattr(capacity.ray_state.state, "get_cluster_config", lambda: groups(({"CPU": 4}, 2)))
    assert need_on_cluster(TINY, 1, 0).cpus == 4


@pytest.mark.parametrize(
    ("need", "told"),
    [
        (ResourceRequest(2, 8), None),
        (ResourceRequest(1, 32), r"1 worker with 32 CPUs.*once it has grown: 2 with 8 CPUs, 0 GPUs.*threads=8"),
        (ResourceRequest(4, 8), r"lower --workers, or give --set threads=4 or less"),
        (ResourceRequest(1, 1, 1), r"no node has a CPU and 1 GPU"),
    ],
)
def test_a_cluster_that_may_grow_is_waited_for_only_where_it_can_grow_enough(
    need: ResourceRequest, told: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    label = {"ray.io/node-group": "workers"}
    monkeypatch.setattr(capacity.ray, "nodes", lambda: [*nodes({"CPU": 0.0}), *nodes({"CPU": 8.0}, **label)])
    monkeypatch.setattr(
        capacity.ray_state.state, "get_cluster_config", lambda: groups(({"CPU": 8}, 2), ({"GPU": 9}, 0))
    )
    if told is None:
        require_capacity(need)
        assert "it starts as soon as the cluster has grown" in caplog.text
        return
    with pytest.raises(InvalidInput, match=told):
        require_capacity(need)


def test_a_group_without_a_bound_has_room_for_any_number_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity.ray, "nodes", list)
    monkeypatch.setattr(capacity.ray_state.state, "get_cluster_config", lambda: groups(({"CPU": 2}, -1)))
    require_capacity(ResourceRequest(50, 2))
    with pytest.raises(InvalidInput, match="threads=2"):
        require_capacity(ResourceRequest(1, 3))


def test_many_nodes_are_told_by_their_kinds() -> None:
    held = [{"CPU": 4.0}] * 100 + [{"CPU": 64.0, "GPU": 1.0}]
    assert in_words(held) == "1 with 64 CPUs, 1 GPU; 100 with 4 CPUs, 0 GPUs"


@pytest.mark.parametrize(("gpus", "told"), [(float("nan"), "is nan"), (float("inf"), "is inf"), (1.5, "whole number")])
def test_gpus_that_ray_does_not_count_so_are_refused(gpus: float, told: str) -> None:
    with pytest.raises(InvalidInput, match=f"gpus_per_worker .*{told}"):
        ResourceRequest.of(TINY, 1, gpus)


def test_more_threads_than_any_machine_has_are_refused_at_once() -> None:
    with pytest.raises(InvalidInput, match="threads: must be 1024 or less, not 1000000000"):
        from_mapping({**TINY.to_mapping(), "threads": 1_000_000_000})


def test_a_training_without_workers_is_refused() -> None:
    with pytest.raises(InvalidInput, match="workers is 0; it must be 1 or more"):
        ResourceRequest.of(TINY, 0, 0)
    with pytest.raises(InvalidInput, match="gpus_per_worker is -1"):
        ResourceRequest.of(TINY, 1, -1)
