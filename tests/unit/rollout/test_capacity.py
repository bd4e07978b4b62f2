from __future__ import annotations

import pytest

from serve_app.rollout import target
from serve_app.rollout.capacity import Capacity, lack_of


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
    monkeypatch.setattr(target, "available_resources_per_node", lambda: {"a": {"CPU": 1.0}, "b": {"CPU": 1.0}})
    assert "there is room for 0" in target.ServeTarget().no_room(2, Capacity(cpus=2))
    assert target.ServeTarget().no_room(2, Capacity(cpus=1, replicas=2)) is None
