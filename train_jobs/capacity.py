"""Whether there are the processors that a training asks for: told before it waits for what will never be free."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import ray
import torch

from sentiment.errors import InvalidInput
from sentiment.training.config import TrainConfig

_LOG = logging.getLogger(__name__)
_NODE_GROUP: Final = "ray.io/node-group"  # a label of nodes that are of a pool, which may grow


@dataclass(frozen=True)
class Need:
    """What a training asks Ray for: so many workers, each with its CPUs and GPUs."""

    workers: int
    cpus: int
    gpus: float = 0

    @classmethod
    def of(cls, config: TrainConfig, workers: int, gpus_per_worker: float, at_once: int = 1) -> Need:
        """Return the need of a training, of which `at_once` run at a time.

        Without `threads` the workers of all of them share this machine's processors.

        Raises:
            InvalidInput: there are no workers, or less than no GPUs.
        """
        if workers < 1:
            raise InvalidInput(f"workers is {workers}; it must be 1 or more", "workers")
        if gpus_per_worker < 0:
            raise InvalidInput(f"gpus_per_worker is {gpus_per_worker:g}; it must be 0 or more", "gpus_per_worker")
        share = config.threads or max(1, (os.cpu_count() or 1) // (workers * at_once))
        return cls(workers, 1 if gpus_per_worker else share, gpus_per_worker)

    @property
    def of_a_worker(self) -> dict[str, float]:
        """The resources of one worker, as Ray names them."""
        return {"CPU": self.cpus, **({"GPU": self.gpus} if self.gpus else {})}


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
            f"gpus_per_worker asks for {gpus:g} GPUs in all, and PyTorch finds {found or 'none'} on this machine: "
            "leave --gpus-per-worker out to train on the CPU, lower --workers, or name a cluster with --address",
            "gpus_per_worker",
        )


def require_capacity(need: Need) -> None:
    """Refuse a training whose workers the running Ray cannot hold at once; Ray Train would wait for ever.

    Where nodes are of a pool, which may grow, this only warns.

    Raises:
        InvalidInput: naming the field to change.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    field = shortage(need, [node["Resources"] for node in nodes])
    if field is None:
        return
    told = _in_words(need, nodes)
    if any(_NODE_GROUP in node.get("Labels", {}) for node in nodes):
        _LOG.warning("%s; it begins once the cluster has grown", told)
        return
    raise InvalidInput(f"{told}: {_remedy(field, need, nodes)}, or name a larger cluster with --address", field)


def shortage(need: Need, nodes: Iterable[Mapping[str, float]]) -> str | None:
    """Return the field that asks for more than nodes with these resources hold, None if all workers fit on them.

    A worker's resources are of one node.
    """
    room = [_room(need, node) for node in nodes]
    if sum(room) >= need.workers:
        return None
    if any(room):
        return "workers"
    return "gpus_per_worker" if need.gpus else "threads"


def _room(need: Need, node: Mapping[str, float]) -> int:
    """Return how many of the workers a node has room for."""
    return min(_times(node.get(name, 0), asked) for name, asked in need.of_a_worker.items())


def _remedy(field: str, need: Need, nodes: Sequence[Mapping[str, Any]]) -> str:
    if field == "gpus_per_worker":
        return f"no node has a CPU and {need.gpus:g} GPUs: lower --gpus-per-worker, or leave it out to train on CPUs"
    fewer = "" if need.gpus else _fewer_threads(need, nodes)
    if field == "threads":
        alone = _fewer_threads(replace(need, workers=1), nodes)
        return fewer or (f"lower --workers and {alone}" if alone else "no node has a CPU: add one that has")
    return "lower --workers or --gpus-per-worker" if need.gpus else f"lower --workers{fewer and f', or {fewer}'}"


def _fewer_threads(need: Need, nodes: Sequence[Mapping[str, Any]]) -> str:
    """Return how many threads all workers would have room for; nothing where fewer do not help."""
    resources = [node["Resources"] for node in nodes]
    fitting = (cpus for cpus in range(need.cpus - 1, 0, -1) if shortage(replace(need, cpus=cpus), resources) is None)
    if not (most := next(fitting, 0)):
        return ""
    return f"give --set threads={most}{' or less' if most > 1 else ''}"


def _times(has: float, asked: float) -> int:
    return int(has / asked + 1e-9)


def _in_words(need: Need, nodes: Iterable[Mapping[str, Any]]) -> str:
    held = "; ".join(_of_node(node["Resources"]) for node in nodes) or "none"
    return (
        f"the training asks for {need.workers} workers with {need.cpus} CPUs"
        f"{f' and {need.gpus:g} GPUs' if need.gpus else ''} each, more than Ray has room for (its nodes: {held})"
    )


def _of_node(resources: Mapping[str, float]) -> str:
    return f"{resources.get('CPU', 0):g} CPUs, {resources.get('GPU', 0):g} GPUs"
