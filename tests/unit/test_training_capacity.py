"""What a training asks of Ray, and what it is told when there is no room for it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("ray", reason="training needs the train extra")

from sentiment.errors import InvalidInput
from tests.tiny_training import TINY
from train_jobs import capacity
from train_jobs.capacity import Need, own_cpus, own_gpus, require_capacity, require_own_gpus, shortage
from train_jobs.train import cpus_of, ray_running


def nodes(*resources: Mapping[str, float], **labels: str) -> list[dict[str, Any]]:
    return [{"Alive": True, "Resources": dict(each), "Labels": labels} for each in resources]


@pytest.mark.parametrize(
    ("need", "found", "field"),
    [
        (Need(1, 2), [{"CPU": 2.0}], None),
        (Need(2, 2), [{"CPU": 2.0}, {"CPU": 3.0}], None),
        (Need(1, 4), [{"CPU": 2.0}, {"CPU": 2.0}], "threads"),
        (Need(3, 2), [{"CPU": 4.0}, {"CPU": 1.0}], "workers"),
        (Need(1, 1, 1), [{"CPU": 8.0}], "gpus_per_worker"),
        (Need(2, 1, 1), [{"CPU": 8.0, "GPU": 1.0}], "workers"),
        (Need(2, 1, 0.5), [{"CPU": 8.0, "GPU": 1.0}], None),
        (Need(1, 1, 1), [{"CPU": 8.0}, {"GPU": 1.0}], "gpus_per_worker"),
        (Need(1, 1, 1), [{"GPU": 1.0}], "gpus_per_worker"),
        (Need(1, 1), [], "threads"),
    ],
)
def test_all_workers_must_fit_on_the_nodes_and_the_field_that_asks_for_too_much_is_named(
    need: Need, found: list[dict[str, float]], field: str | None
) -> None:
    assert shortage(need, found) == field


def test_what_ray_has_no_room_for_is_refused_with_the_field_and_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = {"Alive": False, "Resources": {"CPU": 64.0}}
    monkeypatch.setattr(capacity.ray, "nodes", lambda: [*nodes({"CPU": 2.0}), gone])
    require_capacity(Need(2, 1))
    with pytest.raises(
        InvalidInput, match=r"1 workers with 4 CPUs each.*\(its nodes: 2 CPUs, 0 GPUs\).*threads"
    ) as caught:
        require_capacity(Need(1, 4))
    assert caught.value.field == "threads"
    with pytest.raises(InvalidInput, match=r"4 workers with 1 CPUs and 1 GPUs each.*lower --gpus-per-worker"):
        require_capacity(Need(4, 1, 1))


@pytest.mark.parametrize(
    ("need", "found", "remedy", "useless"),
    [
        (Need(2, 1, 1), [{"CPU": 8.0, "GPU": 1.0}], "lower --workers or --gpus-per-worker", "threads"),
        (
            Need(1, 1, 1),
            [{"CPU": 8.0}, {"GPU": 1.0}],
            "no node has a CPU and 1 GPUs: lower --gpus-per-worker",
            "threads",
        ),
        (Need(1, 64), [{"CPU": 2.0}, {"CPU": 4.0}], "give --set threads=4 or less", "lower"),
        (Need(3, 1), [{"CPU": 2.0}], "lower --workers,", "threads"),
        (Need(3, 2), [{"CPU": 4.0}], "lower --workers, or give --set threads=1", "--gpus"),
        (Need(3, 4), [{"CPU": 8.0}], "lower --workers, or give --set threads=2 or less", "--gpus"),
        (Need(3, 4), [{"CPU": 2.0}], "lower --workers and give --set threads=2 or less", "--gpus"),
        (Need(9, 4), [{"CPU": 8.0}], "lower --workers,", "threads"),
        (Need(1, 1), [], "no node has a CPU: add one", "--workers"),
    ],
)
def test_the_remedy_is_one_that_helps(
    need: Need, found: list[dict[str, float]], remedy: str, useless: str, monkeypatch: pytest.MonkeyPatch
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
        require_capacity(Need(4, 2))
    assert "4 workers with 2 CPUs each" in caplog.text
    assert "once the cluster has grown" in caplog.text


def test_a_ray_of_one_s_own_counts_what_the_largest_training_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    asked = [Need.of(replace(TINY, threads=threads), 1, 0) for threads in (2, 4, None)]
    assert [need.cpus for need in asked] == [2, 4, 2]
    assert own_cpus(asked) == 4
    assert own_cpus([]) == own_cpus([Need(1, 1)]) == 2
    assert own_gpus(asked) is own_gpus([]) is None
    assert own_gpus([Need(2, 1, 0.5), Need(1, 1, 0.5)]) == 1


def test_trainings_that_run_side_by_side_fit_together_on_a_ray_of_one_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    for at_once, workers, threads in ((2, 1, None), (2, 2, None), (3, 2, None), (16, 1, None), (4, 1, 4)):
        config = replace(TINY, threads=threads)
        need = Need.of(config, workers, 0, at_once)
        asked = at_once * need.workers * need.cpus
        assert asked <= cpus_of(at_once * workers, config)
        assert threads or asked > 4, "they use what there is"


def test_gpus_that_this_machine_has_not_are_refused_before_ray_pretends_to_have_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capacity.torch.cuda, "device_count", lambda: 0)
    with pytest.raises(
        InvalidInput, match=r"asks for 1 GPUs in all, and PyTorch finds none.*--gpus-per-worker"
    ) as told:
        require_own_gpus(None, 1)
    assert told.value.field == "gpus_per_worker"
    with pytest.raises(InvalidInput), ray_running(None, 2, 1):
        pass
    require_own_gpus(None, None)
    require_own_gpus("http://head:8265", 8)
    monkeypatch.setattr(capacity.torch.cuda, "device_count", lambda: 2)
    require_own_gpus(None, 2)


def test_a_training_without_workers_is_refused() -> None:
    with pytest.raises(InvalidInput, match="workers is 0; it must be 1 or more"):
        Need.of(TINY, 0, 0)
    with pytest.raises(InvalidInput, match="gpus_per_worker is -1"):
        Need.of(TINY, 1, -1)
