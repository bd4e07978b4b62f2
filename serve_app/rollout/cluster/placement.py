"""Where a model version has room: the resources that it gets, what nodes have free, what memory is left.

The resources come from the settings locally and from the controller's `user_config` on a cluster.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import psutil
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sentiment.settings import Settings

#: Ray counts fractions of a resource in ten thousandths.
_SMALLEST_SHARE: Final = 1e-4
_NODES_TOLD: Final = 5
_WHILE_LOADING: Final = 1.5
_GIB: Final = 2.0**30


class Capacity(BaseModel):
    """Resources of one version's classifier. With `max_replicas` it scales between `replicas` and that.

    `initial_replicas` is how many it starts with then. `versions` gives single versions, by number, other values of the
    same fields.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    replicas: int = Field(1, ge=1)
    max_replicas: int | None = Field(None, ge=1)
    initial_replicas: int | None = Field(None, ge=1)
    cpus: float = Field(0, ge=0, description="CPUs that Ray sets aside for a replica; on a cluster: its threads")
    threads: int = Field(2, ge=1)
    gpus: float = Field(0, ge=0)
    batch_tokens: int = Field(256, ge=16)
    versions: dict[int, dict[str, Any]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _valid_versions(self) -> Self:
        for version in self.versions:
            self.of(version)
        return self

    def of(self, version: int) -> Capacity:
        """Return the capacity of one version."""
        own = self.versions.get(version, {})
        if "versions" in own:
            raise ValueError(f"versions: {version} cannot hold versions of its own")
        return Capacity.model_validate({**self.resources(), **own})

    def prewarmed(self, replicas: int) -> Capacity:
        """Return the capacity of a version that is to take over from one that runs `replicas` replicas.

        One that scales starts with as many, within its own bounds: a step that gives it traffic then waits for none.
        """
        if self.max_replicas is None:
            return self
        initial = min(max(replicas, self.replicas), max(self.replicas, self.max_replicas))
        return self.model_copy(update={"initial_replicas": initial})

    @property
    def first_replicas(self) -> int:
        """How many replicas a version starts with."""
        return self.initial_replicas or self.replicas

    def resources(self) -> dict[str, Any]:
        """Return the values as the classifier's application takes them."""
        return self.model_dump(exclude={"versions"})


def local_capacity(settings: Settings) -> Capacity:
    """Return the capacity that the settings of a local platform ask for."""
    return Capacity(
        replicas=settings.classifier_replicas,
        threads=settings.classifier_threads,
        gpus=settings.classifier_gpus,
        batch_tokens=settings.batch_tokens,
    )


def lack_of(version: int, capacity: Capacity, nodes: Sequence[Mapping[str, float]]) -> str | None:
    """Return what is missing for a version to start, None if nothing is; each replica must fit on one node.

    `nodes` holds what each node has free, by Ray's names of resources.
    """
    needs = {name: each for name, each in (("CPU", capacity.cpus), ("GPU", capacity.gpus)) if each}
    if not needs:
        return None
    places = sum(_replicas_on(free, needs) for free in nodes)
    if places >= capacity.first_replicas:
        return None
    each = " and ".join(f"{amount:g} {name}" for name, amount in needs.items())
    largest = sorted(nodes, key=lambda free: [free.get(name, 0.0) for name in needs], reverse=True)[:_NODES_TOLD]
    told = "; ".join(" and ".join(f"{free.get(name, 0.0):g} {name}" for name in needs) for free in largest)
    return (
        f"version {version} needs {each} on one node for each of its {capacity.first_replicas} replicas, there is room "
        f"for {places}; nodes have free: {told or 'nothing'}"
    )


def lack_of_memory(version: int, capacity: Capacity, memory: Memory) -> str | None:
    """Return what memory is missing for a version to start beside one that runs, None if nothing is or nobody knows.

    A replica is taken to need what the largest that runs has, and half as much again while it loads.
    """
    if memory.replica_bytes is None:
        return None
    needed = memory.replica_bytes * _WHILE_LOADING * capacity.first_replicas
    if needed <= memory.free_bytes:
        return None
    missing = needed - memory.free_bytes
    return (
        f"version {version} needs about {needed / _GIB:.1f} GiB of memory for its {capacity.first_replicas} replicas, "
        f"{memory.free_bytes / _GIB:.1f} GiB are free and {missing / _GIB:.1f} GiB missing"
    )


def _replicas_on(free: Mapping[str, float], needs: Mapping[str, float]) -> int:
    return min(int((free.get(name, 0.0) + _SMALLEST_SHARE / 2) // amount) for name, amount in needs.items())


#: How Ray calls the process of a replica.
_TITLE: Final = "ray::ServeReplica:classifier-v"
_CGROUP: Final = Path("/sys/fs/cgroup")
#: All processes are looked at: not in every round.
_FRESH_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Memory:
    """`replica_bytes` is what the largest replica here takes, its share of what it shares (PSS); None without one."""

    free_bytes: int
    replica_bytes: int | None = None


@dataclass(eq=False)
class MemoryGauge:
    """Reads the memory, at most every ten seconds by `now_s`, a steady clock."""

    now_s: Callable[[], float]
    _seen: Memory | None = None
    _seen_s: float = 0.0

    def read(self) -> Memory:
        """Return how it is."""
        now_s = self.now_s()
        if self._seen is None or now_s - self._seen_s > _FRESH_S:
            self._seen, self._seen_s = Memory(free_bytes(), replica_bytes(psutil.process_iter())), now_s
        return self._seen


def free_bytes(cgroup: Path = _CGROUP) -> int:
    """Return what the machine has available, or what a container's limit (cgroup v2) leaves where that is less."""
    available = int(psutil.virtual_memory().available)
    try:
        limit, used = int((cgroup / "memory.max").read_text()), int((cgroup / "memory.current").read_text())
        facts = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return available
    cached = int(facts.get("inactive_file", 0))  # the system takes it back when it needs it
    return max(0, min(available, limit - used + cached))


def replica_bytes(processes: Iterable[Any]) -> int | None:
    """Return what the largest of the processes that are classifiers' replicas takes, None where there is none."""
    taken = []
    for process in processes:
        with contextlib.suppress(psutil.Error, OSError):
            if "".join(process.cmdline()[:1]).startswith(_TITLE):
                taken.append(_taken_by(process))
    return max(taken, default=None)


def _taken_by(process: Any) -> int:
    memory = process.memory_full_info()
    return int(getattr(memory, "pss", memory.uss))
