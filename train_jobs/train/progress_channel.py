"""How a run's workers and its driver talk: reports through a mailbox, checkpoints through Ray Train."""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import psutil
import ray
import ray.train
import torch

from train_jobs.runs.recovery import WorkerEvent

_LOG = logging.getLogger(__name__)
_POLL_S: Final = 0.5
_MIB: Final = 2**20

Report = dict[str, float]


#: What a mailbox holds: a report of the first worker, or what befell the workers.
Letter = Report | WorkerEvent


class Mailbox:
    """Holds reports and events until the driver takes them."""

    def __init__(self) -> None:
        self._letters: list[Letter] = []

    def post(self, letter: Letter) -> None:
        """Add a report or an event."""
        self._letters.append(letter)

    def take(self) -> list[Letter]:
        """Return what came since the last call."""
        taken, self._letters = self._letters, []
        return taken


def open_mailbox() -> Any:
    """Return the handle of a new mailbox: an actor that costs no CPU, and comes back empty if its node is lost."""
    return ray.remote(num_cpus=0, max_restarts=-1)(Mailbox).remote()


class RayWatcher:
    """The watcher of a loop in a Ray Train worker: the first worker posts reports and stores checkpoints."""

    def __init__(self, rank: int, mailbox: Any) -> None:
        self._rank, self._mailbox = rank, mailbox
        self._process = psutil.Process()
        self._process.cpu_percent()  # the first call measures nothing

    def begin(self, step: int) -> None:
        """Post, once, that the run begins at a step or goes on from it."""
        if self._rank == 0:
            self._mailbox.post.remote(WorkerEvent("ready", step))

    def report(self, figures: Mapping[str, float]) -> None:
        """Post figures of the first worker, with what its process and its machine use."""
        if self._rank == 0:
            self._mailbox.post.remote({**figures, **self._system()})

    def keep(self, figures: Mapping[str, float], write: Callable[[Path], None]) -> None:
        """Report to Ray Train, with a checkpoint from the first worker; all workers wait for each other here."""
        metrics = dict(figures)
        if self._rank:
            ray.train.report(metrics)
            return
        with tempfile.TemporaryDirectory(prefix="undertone-checkpoint-") as folder:
            write(Path(folder))
            ray.train.report(metrics, checkpoint=ray.train.Checkpoint.from_directory(folder))
        if "score" in figures:
            self._mailbox.post.remote(metrics)

    def _system(self) -> Report:
        memory = psutil.virtual_memory()
        found = {
            "system/process_cpu_percent": self._process.cpu_percent(),
            "system/process_memory_mib": self._process.memory_info().rss / _MIB,
            "system/cpu_percent": psutil.cpu_percent(),
            "system/memory_percent": memory.percent,
        }
        if torch.cuda.is_available():
            found["system/gpu_memory_mib"] = torch.cuda.max_memory_allocated() / _MIB
        return found


@contextmanager
def listening(
    mailbox: Any, on_letter: Callable[[Letter], None], on_tick: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Call `on_letter` in this process for all that is posted while the block runs, and `on_tick` now and then.

    Both are called from a thread.
    """
    ended = threading.Event()

    def listen() -> None:
        """Pass letters on until the block has ended, and then those that came last."""
        while True:
            is_last = ended.is_set()
            for letter in _taken(mailbox):
                _call(partial(on_letter, letter))
            if is_last:
                return
            _call(on_tick)
            ended.wait(_POLL_S)

    thread = threading.Thread(target=listen, name="reports", daemon=True)
    thread.start()
    try:
        yield
    finally:
        time.sleep(0.1)  # the last reports are on their way
        ended.set()
        thread.join()


def _taken(mailbox: Any) -> list[Letter]:
    try:
        letters: list[Letter] = ray.get(mailbox.take.remote())
    except ray.exceptions.RayError as exc:  # it was on a node that is gone; Ray starts it anew on another
        _LOG.warning("reports of the training are lost: %s", exc)
        return []
    return letters


def _call(listener: Callable[[], None]) -> None:
    try:
        listener()
    except Exception:  # noqa: BLE001 - a listener's fault must not end hours of training
        _LOG.exception("a report was not taken")
