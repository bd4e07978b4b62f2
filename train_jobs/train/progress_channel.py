"""How workers talk to the driver of a run: reports go through a mailbox actor, checkpoints through Ray Train."""

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


#: A message in a mailbox: a progress report of the first worker, or an event of the workers.
Message = Report | WorkerEvent


class Mailbox:
    """Holds reports and events until the driver takes them."""

    def __init__(self) -> None:
        self._letters: list[Message] = []

    def post(self, message: Message) -> None:
        """Add a report or an event."""
        self._letters.append(message)

    def take(self) -> list[Message]:
        """Return and remove all messages."""
        messages, self._letters = self._letters, []
        return messages


def open_mailbox() -> Any:
    """Return the handle of a new mailbox: an actor without a CPU of its own, restarted empty if its node is lost."""
    return ray.remote(num_cpus=0, max_restarts=-1)(Mailbox).remote()


class RayWatcher:
    """The watcher of a training loop in a Ray Train worker; only the first worker posts reports and checkpoints."""

    def __init__(self, rank: int, mailbox: Any) -> None:
        self._rank, self._mailbox = rank, mailbox
        self._process = psutil.Process()
        self._process.cpu_percent()  # the first call measures nothing

    def begin(self, step: int) -> None:
        """Post that the run starts at a step or is resumed from it."""
        if self._rank == 0:
            self._mailbox.post.remote(WorkerEvent("ready", step))

    def report(self, figures: Mapping[str, float]) -> None:
        """Post the figures of the first worker with the load of its process and its machine."""
        if self._rank == 0:
            self._mailbox.post.remote({**figures, **self._system()})

    def keep(self, figures: Mapping[str, float], write: Callable[[Path], None]) -> None:
        """Report to Ray Train, the first worker with a checkpoint; all workers wait for each other here."""
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
        usage = {
            "system/process_cpu_percent": self._process.cpu_percent(),
            "system/process_memory_mib": self._process.memory_info().rss / _MIB,
            "system/cpu_percent": psutil.cpu_percent(),
            "system/memory_percent": memory.percent,
        }
        if torch.cuda.is_available():
            usage["system/gpu_memory_mib"] = torch.cuda.max_memory_allocated() / _MIB
        return usage


@contextmanager
def listening(
    mailbox: Any, on_message: Callable[[Message], None], on_tick: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Call `on_message` for each message posted while the block runs, and `on_tick` every half second.

    Both are called from a thread of this process.
    """
    ended = threading.Event()

    def listen() -> None:
        """Pass messages on until the block has ended, then the last ones."""
        while True:
            is_last = ended.is_set()
            for message in _taken(mailbox):
                _call(partial(on_message, message))
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


def _taken(mailbox: Any) -> list[Message]:
    try:
        messages: list[Message] = ray.get(mailbox.take.remote())
    except ray.exceptions.RayError as exc:  # it was on a node that is gone; Ray starts it anew on another
        _LOG.warning("some progress reports of the training were lost with their node; the training goes on: %s", exc)
        return []
    return messages


def _call(listener: Callable[[], None]) -> None:
    try:
        listener()
    except Exception:  # noqa: BLE001 - a listener's fault must not end hours of training
        _LOG.exception("a progress report could not be processed; the training goes on")
