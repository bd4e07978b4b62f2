"""Whether there are the processors that a training asks for: told before it waits for what will never be free."""

from __future__ import annotations

import logging
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import ray
import torch
from ray._private import state as ray_state  # what is free on each node, and how far a cluster grows, is told here only

from sentiment.errors import InvalidInput
from sentiment.training.config import TrainConfig

_LOG = logging.getLogger(__name__)
_NODE_GROUP: Final = "ray.io/node-group"  # a label of nodes that are of a pool, which may grow

_ELSEWHERE: Final = "or name a larger cluster with --address"

#: What a node has, as Ray names it: CPU, GPU and more.
Resources = Mapping[str, float]


@dataclass(frozen=True)
class Need:
    """What a training asks Ray for: so many workers, each with its CPUs and GPUs."""

    workers: int
    cpus: int
    gpus: float = 0

    @classmethod
    def of(
        cls,
        config: TrainConfig,
        workers: int,
        gpus_per_worker: float,
        at_once: int = 1,
        nodes: Sequence[Resources] | None = None,
    ) -> Need:
        """Return the need of a training, of which `at_once` run at a time.

        Without `threads` the workers of all of them share the processors of the `nodes`, by default this machine's.

        Raises:
            InvalidInput: there are no workers, or GPUs that Ray does not count so.
        """
        if workers < 1:
            raise InvalidInput(f"workers is {workers}; it must be 1 or more", "workers")
        _require_gpus(gpus_per_worker)
        held = [{"CPU": os.cpu_count() or 1}] if nodes is None else nodes
        share = config.threads or fair_share(workers * at_once, held)
        return cls(workers, 1 if gpus_per_worker else share, gpus_per_worker)

    @property
    def of_a_worker(self) -> dict[str, float]:
        """The resources of one worker, as Ray names them."""
        return {"CPU": self.cpus, **({"GPU": self.gpus} if self.gpus else {})}

    def in_words(self) -> str:
        """Return the need as a message says it: `2 workers with 4 CPUs each`."""
        gpus = f" and {_counted(self.gpus, 'GPU')}" if self.gpus else ""
        each = " each" if self.workers > 1 else ""
        return f"{_counted(self.workers, 'worker')} with {_counted(self.cpus, 'CPU')}{gpus}{each}"


def fair_share(workers: int, nodes: Iterable[Resources]) -> int:
    """Return the most CPUs that every one of the workers gets, all at once; 1 where there is no room for all."""
    cpus = [int(node.get("CPU", 0)) for node in nodes]
    shares = range(max(cpus, default=0), 0, -1)
    return next((share for share in shares if sum(held // share for held in cpus) >= workers), 1)


def need_on_cluster(config: TrainConfig, workers: int, gpus_per_worker: float, at_once: int = 1) -> Need:
    """Return the need of a training on the Ray that runs: what its nodes have, not what this machine has.

    A training that runs alone takes what is free where that is room enough: what serves keeps its processors for good.

    Raises: what `Need.of` does.
    """
    if config.threads or gpus_per_worker:
        return Need.of(config, workers, gpus_per_worker, at_once)
    held = _resources(alive_nodes()) or [node for node, _ in _pool()]
    free = free_resources()
    is_enough = at_once == 1 and shortage(Need(workers, 1), free) is None
    return Need.of(config, workers, gpus_per_worker, at_once, free if is_enough else held)


def alive_nodes() -> list[dict[str, Any]]:
    """Return the nodes of the Ray that runs, as Ray tells of them."""
    return [node for node in ray.nodes() if node["Alive"]]


def free_resources() -> list[Resources]:
    """Return what is free on each node at the moment."""
    return list(ray_state.available_resources_per_node().values())


def own_cpus(needs: Iterable[Need]) -> int:
    """Return the CPUs that a Ray of one's own must count: what the machine has, or more where a training asks for more.

    A machine with fewer runs them in turns.
    """
    return max([os.cpu_count() or 1, *(need.workers * need.cpus for need in needs)])


def own_gpus(needs: Iterable[Need]) -> float | None:
    """Return the GPUs that a Ray of one's own must count, None for as many as it finds."""
    return max((need.workers * need.gpus for need in needs), default=0) or None


def require_own_gpus(address: str | None, gpus: float | None) -> None:
    """Refuse GPUs that a Ray of one's own would count and this machine has not.

    Raises:
        InvalidInput: naming the field.
    """
    is_own = not address and not ray.is_initialized()
    if is_own and gpus and (found := torch.cuda.device_count()) < gpus:
        raise InvalidInput(
            f"gpus_per_worker asks for {_counted(gpus, 'GPU')} in all, and PyTorch finds {found or 'none'} here: "
            "leave --gpus-per-worker out to train on the CPU, lower --workers, or name a cluster with --address",
            "gpus_per_worker",
        )


def require_capacity(need: Need) -> None:
    """Refuse a training whose workers the running Ray cannot hold at once; Ray Train would wait for ever.

    Where nodes are of a pool that may grow to hold them, this only warns.

    Raises:
        InvalidInput: naming the field to change.
    """
    nodes = alive_nodes()
    field = shortage(need, _resources(nodes))
    if field is None:
        return
    pool = _pool()
    has_pool = bool(pool) or any(_NODE_GROUP in node.get("Labels", {}) for node in nodes)
    grown = _grown(nodes, pool, need.workers)
    never = shortage(need, grown) if pool else None
    if has_pool and never is None:
        _LOG.warning("%s; it begins once the cluster has grown", _too_much(need, _resources(nodes)))
        return
    held = grown if pool else _resources(nodes)
    field = never or field
    raise InvalidInput(
        f"{_too_much(need, held, ', once it has grown' if pool else '')}: {_remedy(field, need, held)}, {_ELSEWHERE}",
        field,
    )


def _pool() -> list[tuple[Resources, int]]:
    """Return what a node of each of the cluster's groups has and how many there may be (-1: any), if Ray knows."""
    config = ray_state.state.get_cluster_config()
    groups = config.node_group_configs if config else ()
    return [(dict(group.resources), group.max_count) for group in groups if group.max_count]


def _grown(nodes: Sequence[Mapping[str, Any]], pool: Sequence[tuple[Resources, int]], workers: int) -> list[Resources]:
    """Return the nodes of a cluster that has grown as far as it may; one without bound as far as workers can use."""
    fixed = [node["Resources"] for node in nodes if _NODE_GROUP not in node.get("Labels", {})]
    return fixed + [node for node, most in pool for _ in range(workers if most < 0 else most)]


def _resources(nodes: Iterable[Mapping[str, Any]]) -> list[Resources]:
    return [node["Resources"] for node in nodes]


def shortage(need: Need, nodes: Iterable[Resources]) -> str | None:
    """Return the field that asks for more than nodes with these resources hold, None if all workers fit on them.

    A worker's resources are of one node.
    """
    room = [room_on(need, node) for node in nodes]
    if sum(room) >= need.workers:
        return None
    if any(room):
        return "workers"
    return "gpus_per_worker" if need.gpus else "threads"


def room_on(need: Need, node: Resources) -> int:
    """Return how many of the workers a node has room for."""
    return min(_times(node.get(name, 0), asked) for name, asked in need.of_a_worker.items())


def in_words(nodes: Iterable[Resources]) -> str:
    """Return what nodes have: `3 with 4 CPUs, 0 GPUs; 1 with 8 CPUs, 1 GPU`, the largest first."""
    kinds = Counter((node.get("CPU", 0), node.get("GPU", 0)) for node in nodes)
    ordered = sorted(kinds.items(), reverse=True)
    return "; ".join(
        f"{count} with {_counted(cpus, 'CPU')}, {_counted(gpus, 'GPU')}" for (cpus, gpus), count in ordered
    )


def free_in_words() -> str:
    """Return what is free on the nodes at the moment: `3 CPUs, 0 GPUs`, by node where there are several."""
    free = free_resources()
    total = {name: sum(node.get(name, 0) for node in free) for name in ("CPU", "GPU")}
    by_node = f" (its nodes: {in_words(free)})" if len(free) > 1 else ""
    return f"{_counted(total['CPU'], 'CPU')}, {_counted(total['GPU'], 'GPU')}{by_node}"


def _require_gpus(gpus: float) -> None:
    if not gpus >= 0 or math.isinf(gpus):
        raise InvalidInput(f"gpus_per_worker is {gpus:g}; it must be 0 or more", "gpus_per_worker")
    if gpus > 1 and gpus % 1:
        raise InvalidInput(f"gpus_per_worker is {gpus:g}; above 1 it must be a whole number", "gpus_per_worker")


def _remedy(field: str, need: Need, nodes: Sequence[Resources]) -> str:
    if field == "gpus_per_worker":
        asked = _counted(need.gpus, "GPU")
        return f"no node has a CPU and {asked}: lower --gpus-per-worker, or leave it out to train on CPUs"
    fewer = "" if need.gpus else _fewer_threads(need, nodes)
    if field == "threads":
        alone = _fewer_threads(replace(need, workers=1), nodes)
        return fewer or (f"lower --workers and {alone}" if alone else "no node has a CPU: add one that has")
    return "lower --workers or --gpus-per-worker" if need.gpus else f"lower --workers{fewer and f', or {fewer}'}"


def _fewer_threads(need: Need, nodes: Sequence[Resources]) -> str:
    """Return how many threads all workers would have room for; nothing where fewer do not help."""
    most = fair_share(need.workers, nodes)
    if most >= need.cpus or shortage(replace(need, cpus=most), nodes) is not None:
        return ""
    return f"give --set threads={most}{' or less' if most > 1 else ''}"


def _times(has: float, asked: float) -> int:
    return int(has / asked + 1e-9)


def _too_much(need: Need, nodes: Sequence[Resources], when: str = "") -> str:
    has = in_words(nodes) or "none"
    return f"the training asks for {need.in_words()}, more than Ray has room for (its nodes{when}: {has})"


def _counted(number: float, noun: str) -> str:
    return f"{number:g} {noun}{'' if number == 1 else 's'}"
