"""Checks that Ray has the CPUs and GPUs that a training asks for, so that no training waits for ever."""

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
from ray._private import state as ray_state  # nothing public says what is free on each node and how far a cluster grows

from sentiment.errors import InvalidInput
from sentiment.training.config import TrainConfig

_LOG = logging.getLogger(__name__)
_NODE_GROUP: Final = "ray.io/node-group"  # a label of nodes that are of a pool, which may grow

_ELSEWHERE: Final = "or name a larger cluster with --address"

#: What a node has, as Ray names it: CPU, GPU and more.
Resources = Mapping[str, float]


@dataclass(frozen=True)
class ResourceRequest:
    """What a training asks Ray for."""

    workers: int
    cpus: int
    """CPUs of each worker."""
    gpus: float = 0
    """GPUs of each worker; several workers may share one."""

    @classmethod
    def of(
        cls,
        config: TrainConfig,
        workers: int,
        gpus_per_worker: float,
        at_once: int = 1,
        nodes: Sequence[Resources] | None = None,
    ) -> ResourceRequest:
        """Return the request of a training, of which `at_once` run at a time.

        Without `threads` in the configuration, all their workers share the CPUs of `nodes` (default: this machine's).

        Raises:
            InvalidInput: there are no workers, or Ray cannot share out so many GPUs.
        """
        if workers < 1:
            raise InvalidInput(f"workers is {workers}; it must be 1 or more", "workers")
        _require_gpus(gpus_per_worker)
        usable = [{"CPU": os.cpu_count() or 1}] if nodes is None else nodes
        share = config.threads or fair_share(workers * at_once, usable)
        return cls(workers, 1 if gpus_per_worker else share, gpus_per_worker)

    @property
    def of_a_worker(self) -> dict[str, float]:
        """The resources of one worker, as Ray names them."""
        return {"CPU": self.cpus, **({"GPU": self.gpus} if self.gpus else {})}

    def in_words(self) -> str:
        """Return the request as a message says it: `2 workers with 4 CPUs each`."""
        gpus = f" and {_counted(self.gpus, 'GPU')}" if self.gpus else ""
        each = " each" if self.workers > 1 else ""
        return f"{_counted(self.workers, 'worker')} with {_counted(self.cpus, 'CPU')}{gpus}{each}"


def fair_share(workers: int, nodes: Iterable[Resources]) -> int:
    """Return the most CPUs that each worker can have while all of them run; 1 where not all of them fit."""
    cpus = [int(node.get("CPU", 0)) for node in nodes]
    shares = range(max(cpus, default=0), 0, -1)
    return next((share for share in shares if sum(count // share for count in cpus) >= workers), 1)


def need_on_cluster(config: TrainConfig, workers: int, gpus_per_worker: float, at_once: int = 1) -> ResourceRequest:
    """Return the request of a training on the running Ray, sized by its nodes and not by this machine.

    A training that runs alone is sized by the free CPUs if all workers fit on them: deployments never free theirs.

    Raises: what `Need.of` does.
    """
    if config.threads or gpus_per_worker:
        return ResourceRequest.of(config, workers, gpus_per_worker, at_once)
    present = _resources(alive_nodes()) or [node for node, _ in _pool()]
    free = free_resources()
    is_enough = at_once == 1 and shortage(ResourceRequest(workers, 1), free) is None
    return ResourceRequest.of(config, workers, gpus_per_worker, at_once, free if is_enough else present)


def alive_nodes() -> list[dict[str, Any]]:
    """Return the nodes of the running Ray, in Ray's own form."""
    return [node for node in ray.nodes() if node["Alive"]]


def free_resources() -> list[Resources]:
    """Return what is free on each node at the moment."""
    return list(ray_state.available_resources_per_node().values())


def own_cpus(needs: Iterable[ResourceRequest]) -> int:
    """Return the CPUs that a Ray started here must offer: those of the machine, or more where a training asks for more.

    The operating system shares the real ones out.
    """
    return max([os.cpu_count() or 1, *(need.workers * need.cpus for need in needs)])


def own_gpus(needs: Iterable[ResourceRequest]) -> float | None:
    """Return the GPUs that a Ray started here must offer; None for as many as it finds."""
    return max((need.workers * need.gpus for need in needs), default=0) or None


def require_own_gpus(address: str | None, gpus: float | None) -> None:
    """Check that this machine has the GPUs that a Ray started here would offer.

    Raises:
        InvalidInput: it has fewer.
    """
    is_own = not address and not ray.is_initialized()
    if is_own and gpus and (present := torch.cuda.device_count()) < gpus:
        raise InvalidInput(
            f"gpus_per_worker asks for {_counted(gpus, 'GPU')} in all, and PyTorch finds {present or 'none'} here: "
            "leave --gpus-per-worker out to train on the CPU, lower --workers, or name a cluster with --address",
            "gpus_per_worker",
        )


def require_capacity(need: ResourceRequest) -> None:
    """Check that all workers fit on the running Ray at once; otherwise Ray Train would wait for ever.

    Where the cluster can grow until they fit, this only warns.

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
    lasting_shortage = shortage(need, grown) if pool else None
    if has_pool and lasting_shortage is None:
        _LOG.warning("%s; it starts as soon as the cluster has grown", _too_much(need, _resources(nodes)))
        return
    final_nodes = grown if pool else _resources(nodes)
    field = lasting_shortage or field
    problem = _too_much(need, final_nodes, ", once it has grown" if pool else "")
    raise InvalidInput(f"{problem}: {_remedy(field, need, final_nodes)}, {_ELSEWHERE}", field)


def _pool() -> list[tuple[Resources, int]]:
    """Return each node group of the cluster: the resources of a node, and the most nodes (-1: no limit)."""
    config = ray_state.state.get_cluster_config()
    groups = config.node_group_configs if config else ()
    return [(dict(group.resources), group.max_count) for group in groups if group.max_count]


def _grown(nodes: Sequence[Mapping[str, Any]], pool: Sequence[tuple[Resources, int]], workers: int) -> list[Resources]:
    """Return the nodes of a fully grown cluster; a group without a limit counts one node a worker."""
    fixed = [node["Resources"] for node in nodes if _NODE_GROUP not in node.get("Labels", {})]
    return fixed + [node for node, most in pool for _ in range(workers if most < 0 else most)]


def _resources(nodes: Iterable[Mapping[str, Any]]) -> list[Resources]:
    return [node["Resources"] for node in nodes]


def shortage(need: ResourceRequest, nodes: Iterable[Resources]) -> str | None:
    """Return the field of the configuration that asks for too much; None if all workers fit on the nodes.

    A worker cannot be spread over several nodes.
    """
    room = [room_on(need, node) for node in nodes]
    if sum(room) >= need.workers:
        return None
    if any(room):
        return "workers"
    return "gpus_per_worker" if need.gpus else "threads"


def room_on(need: ResourceRequest, node: Resources) -> int:
    """Return how many of the workers a node has room for."""
    return min(_fits(node.get(name, 0), amount) for name, amount in need.of_a_worker.items())


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


def _remedy(field: str, need: ResourceRequest, nodes: Sequence[Resources]) -> str:
    if field == "gpus_per_worker":
        gpus = _counted(need.gpus, "GPU")
        return f"no node has a CPU and {gpus}: lower --gpus-per-worker, or leave it out to train on CPUs"
    fewer = "" if need.gpus else _fewer_threads(need, nodes)
    if field == "threads":
        alone = _fewer_threads(replace(need, workers=1), nodes)
        return fewer or (f"lower --workers and {alone}" if alone else "no node has a CPU: add one that has")
    return "lower --workers or --gpus-per-worker" if need.gpus else f"lower --workers{fewer and f', or {fewer}'}"


def _fewer_threads(need: ResourceRequest, nodes: Sequence[Resources]) -> str:
    """Return the remedy "fewer threads" if all workers would fit then, else an empty text."""
    most = fair_share(need.workers, nodes)
    if most >= need.cpus or shortage(replace(need, cpus=most), nodes) is not None:
        return ""
    return f"give --set threads={most}{' or less' if most > 1 else ''}"


def _fits(available: float, requested: float) -> int:
    return int(available / requested + 1e-9)


def _too_much(need: ResourceRequest, nodes: Sequence[Resources], when: str = "") -> str:
    has = in_words(nodes) or "none"
    return f"the training asks for {need.in_words()}, more than Ray has room for (its nodes{when}: {has})"


def _counted(number: float, noun: str) -> str:
    return f"{number:g} {noun}{'' if number == 1 else 's'}"
