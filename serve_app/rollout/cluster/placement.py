"""Whether there are resources for a model version: CPUs and GPUs on the nodes, and memory on this machine.

What a version needs comes from the settings on a local platform, from the controller's `user_config` on a cluster.
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
_NODES_SHOWN: Final = 5
_WHILE_LOADING: Final = 1.5
_GIB: Final = 2.0**30


class Capacity(BaseModel):
    """Resources of one version's classifier."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    replicas: int = Field(1, ge=1)
    """Number of replicas; the least number if `max_replicas` is set."""
    max_replicas: int | None = Field(None, ge=1)
    """Most replicas of a version that scales; None for one that does not."""
    initial_replicas: int | None = Field(None, ge=1)
    """Replicas that a version that scales starts with; `replicas` if None."""
    cpus: float = Field(0, ge=0, description="CPUs that Ray sets aside for a replica; on a cluster: its threads")
    threads: int = Field(2, ge=1)
    gpus: float = Field(0, ge=0)
    batch_tokens: int = Field(256, ge=16)
    versions: dict[int, dict[str, Any]] = Field(default_factory=dict)
    """Other values of these fields for single versions, by number."""

    @model_validator(mode="after")
    def _valid_versions(self) -> Self:
        for version in self.versions:
            self.of(version)
        return self

    def of(self, version: int) -> Capacity:
        """Return the capacity of one version."""
        own = self.versions.get(version, {})
        if "versions" in own:
            raise ValueError(f"versions: the values of version {version} cannot contain `versions`; leave it out there")
        return Capacity.model_validate({**self.resources(), **own})

    def prewarmed(self, replicas: int) -> Capacity:
        """Return the capacity of a version that is to take over from one with `replicas` replicas.

        A version that scales starts with as many, within its own bounds, so that no step waits for replicas.
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
    """Return, as a sentence, which resources a version lacks; None if none. Each replica must fit on one node.

    `nodes` holds the free resources of each node, by Ray's names.
    """
    needs = {name: amount for name, amount in (("CPU", capacity.cpus), ("GPU", capacity.gpus)) if amount}
    if not needs:
        return None
    possible = sum(_replicas_on(free, needs) for free in nodes)
    if possible >= capacity.first_replicas:
        return None
    each = " and ".join(f"{amount:g} {name}" for name, amount in needs.items())
    largest = sorted(nodes, key=lambda free: [free.get(name, 0.0) for name in needs], reverse=True)[:_NODES_SHOWN]
    free_of_each = "; ".join(" and ".join(f"{free.get(name, 0.0):g} {name}" for name in needs) for free in largest)
    return (
        f"version {version} needs {each} on one node for each of its {capacity.first_replicas} replicas, there is room "
        f"for {possible}; nodes have free: {free_of_each or 'nothing'}"
    )


def lack_of_memory(version: int, capacity: Capacity, memory: Memory) -> str | None:
    """Return, as a sentence, how much memory a version lacks; None if none, or if no replica runs to measure.

    A replica is assumed to need 1.5 times the memory of the largest one that runs, since loading takes more.
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


#: The title that Ray gives a replica's process.
_TITLE: Final = "ray::ServeReplica:classifier-v"
_CGROUP: Final = Path("/sys/fs/cgroup")
#: A reading is used for this long, since it looks at all processes.
_FRESH_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of this machine."""

    free_bytes: int
    replica_bytes: int | None = None
    """Proportional set size (PSS) of the largest replica that runs here; None without one."""


@dataclass(eq=False)
class MemoryGauge:
    """Reads the memory, at most once in ten seconds by `now_s`, a steady clock."""

    now_s: Callable[[], float]
    _memory: Memory | None = None
    _read_s: float = 0.0

    def read(self) -> Memory:
        """Return the memory as of now, or up to ten seconds ago."""
        now_s = self.now_s()
        if self._memory is None or now_s - self._read_s > _FRESH_S:
            self._memory, self._read_s = Memory(free_bytes(), replica_bytes(psutil.process_iter())), now_s
        return self._memory


def free_bytes(cgroup: Path = _CGROUP) -> int:
    """Return the bytes that the machine has available, or that the container's limit (cgroup v2) leaves if fewer."""
    available = int(psutil.virtual_memory().available)
    try:
        limit, used = int((cgroup / "memory.max").read_text()), int((cgroup / "memory.current").read_text())
        statistics = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return available
    cached = int(statistics.get("inactive_file", 0))  # the system reclaims it when it needs it
    return max(0, min(available, limit - used + cached))


def replica_bytes(processes: Iterable[Any]) -> int | None:
    """Return the memory of the largest classifier replica among the processes; None where there is none."""
    sizes = []
    for process in processes:
        with contextlib.suppress(psutil.Error, OSError):
            if "".join(process.cmdline()[:1]).startswith(_TITLE):
                sizes.append(_size_of(process))
    return max(sizes, default=None)


def _size_of(process: Any) -> int:
    memory = process.memory_full_info()
    return int(getattr(memory, "pss", memory.uss))
