"""How much memory this node has left, and what a replica of a model version takes on it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

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
    """Reads the memory, at most every ten seconds."""

    _seen: Memory | None = None
    _seen_s: float = 0.0

    def read(self) -> Memory:
        """Return how it is."""
        now_s = time.monotonic()
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
