from __future__ import annotations

import psutil
import pytest

from serve_app.rollout.cluster import target
from serve_app.rollout.cluster.placement import Capacity, Memory, free_bytes, lack_of, lack_of_memory, replica_bytes
from tests.unit.rollout.fake_platform import Clock


@pytest.mark.parametrize(
    ("capacity", "nodes"),
    [
        (Capacity(cpus=2), [{"CPU": 2.0}]),
        (Capacity(cpus=0.1, replicas=3), [{"CPU": 0.3}]),
        (Capacity(cpus=2, replicas=2), [{"CPU": 3.0}, {"CPU": 3.0}]),
        (Capacity(cpus=1, gpus=0.5, replicas=4), [{"CPU": 4.0, "GPU": 1.0}, {"CPU": 2.0, "GPU": 1.0}]),
        (Capacity(), []),
    ],
)
def test_there_is_room_where_each_replica_fits_on_a_node(capacity, nodes):
    assert lack_of(2, capacity, nodes) is None


@pytest.mark.parametrize(
    ("capacity", "nodes", "places"),
    [
        (Capacity(cpus=4), [{"CPU": 2.0}, {"CPU": 3.0}], 0),
        (Capacity(cpus=2, replicas=3), [{"CPU": 3.0}, {"CPU": 3.0}], 2),
        (Capacity(cpus=1, gpus=1), [{"CPU": 8.0}, {"CPU": 0.5, "GPU": 1.0}], 0),
        (Capacity(gpus=1), [], 0),
        (Capacity(cpus=1, max_replicas=4, initial_replicas=3), [{"CPU": 2.0}], 2),
    ],
)
def test_what_is_free_on_several_nodes_makes_no_room_for_one_replica(capacity, nodes, places):
    assert f"there is room for {places};" in lack_of(2, capacity, nodes)


def test_what_is_missing_is_named_with_what_each_node_has():
    lack = lack_of(8, Capacity(cpus=4, gpus=1), [{"CPU": 2.0, "GPU": 1.0}, {"CPU": 16.0, "memory": 1e9}])
    assert lack == (
        "version 8 needs 4 CPU and 1 GPU on one node for each of its 1 replicas, there is room for 0; "
        "nodes have free: 16 CPU and 0 GPU; 2 CPU and 1 GPU"
    )


def test_the_nodes_are_those_that_ray_knows(monkeypatch):
    monkeypatch.setattr(target, "available_resources", lambda: [{"CPU": 1.0}, {"CPU": 1.0}])
    assert "there is room for 0" in target.ServeTarget(Clock().now_s).no_room(2, Capacity(cpus=2))
    assert target.ServeTarget(Clock().now_s).no_room(2, Capacity(cpus=1, replicas=2)) is None


GIB = 2**30


def test_what_memory_is_missing_is_named():
    lack = lack_of_memory(8, Capacity(replicas=2), Memory(1 * GIB, replica_bytes=GIB // 2))
    assert lack == ("version 8 needs about 1.5 GiB of memory for its 2 replicas, 1.0 GiB are free and 0.5 GiB missing")


@pytest.mark.parametrize(
    "memory", [Memory(20 * GIB, replica_bytes=GIB), Memory(3 * GIB, replica_bytes=2 * GIB), Memory(0)]
)
def test_memory_that_suffices_or_that_nobody_can_judge_holds_nothing_up(memory):
    assert lack_of_memory(8, Capacity(), memory) is None


def test_memory_counts_where_there_is_one_node(monkeypatch):
    small = target.ServeTarget(Clock().now_s, lambda: Memory(GIB, replica_bytes=GIB))
    monkeypatch.setattr(target, "available_resources", lambda: [{"CPU": 2.0}])
    assert "0.5 GiB missing" in small.no_room(2, Capacity())
    monkeypatch.setattr(target, "available_resources", lambda: [{"CPU": 2.0}, {}])
    assert small.no_room(2, Capacity()) is None


def test_a_containers_limit_counts_and_its_page_cache_does_not(tmp_path):
    assert free_bytes(tmp_path) == pytest.approx(psutil.virtual_memory().available, rel=0.5)
    for name, value in (("max", "1000"), ("current", "900"), ("stat", "anon 600\ninactive_file 250\n")):
        (tmp_path / f"memory.{name}").write_text(value)
    assert free_bytes(tmp_path) == 350
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes(tmp_path) > 10**6


class Process:
    def __init__(self, title: str, pss: int | None) -> None:
        self._title, self.pss = title, pss

    def cmdline(self) -> list[str]:
        return [self._title]

    def memory_full_info(self) -> Process:
        if self.pss is None:
            raise psutil.AccessDenied
        return self

    uss = 0


def test_a_replica_takes_what_the_largest_that_runs_has():
    replicas = [
        Process(f"ray::ServeReplica:classifier-v{n}:Classifier", pss) for n, pss in ((1, 30), (2, 70), (3, None))
    ]
    others = [Process("ray::ServeReplica:undertone:Gateway", 500), Process("python", 900)]
    assert replica_bytes([*others, *replicas]) == 70
    assert replica_bytes(others) is None
