"""One head at a run at a time: a lease in the run's storage, which a head that is dead loses.

Each holder creates the next file of a row, on the condition that there is none, and writes the time into its own now
and then. Whoever finds the last one old, given back, or of a process that is gone creates the one after it.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import psutil

from sentiment.errors import Conflict
from train_jobs.runs.run_store import RunStore

#: A holder tells that it lives after so many seconds each, and is dead after so many without; clocks differ by less.
BEAT_S: Final = 15.0
LEASE_S: Final = 60.0
_FOLDER: Final = "lease"
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_PID_SPACE: Final = Path("/proc/self/ns/pid")


@dataclass(frozen=True)
class Holder:
    """A process that may be at a run. `machine` tells apart where process numbers mean different processes."""

    host: str
    machine: str
    pid: int
    started_s: float

    @classmethod
    def here(cls) -> Holder:
        """Return this process."""
        return cls(socket.gethostname(), _machine(), os.getpid(), psutil.Process().create_time())

    def is_gone(self) -> bool:
        """Say whether the process has ended, as far as this machine can tell."""
        if self.machine != _machine():
            return False
        try:
            process = psutil.Process(self.pid)
            return process.create_time() != self.started_s or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True


@dataclass(frozen=True)
class Record:
    """What a file of the row says: whose it is, when that one last told that it lives, whether it gave back."""

    holder: Holder
    beat_s: float
    is_given_back: bool = False

    @classmethod
    def read(cls, text: str) -> Record:
        """Return the record that a file holds."""
        plain = json.loads(text)
        return cls(Holder(**plain.pop("holder")), **plain)

    def text(self) -> str:
        """Return the record as a file holds it."""
        return json.dumps(asdict(self)) + "\n"

    def left_s(self, now_s: float) -> float:
        """Return for how long its holder has the run yet if nothing is heard of it; 0 if anyone may take it."""
        if self.is_given_back or self.holder.is_gone():
            return 0.0
        return max(0.0, self.beat_s + LEASE_S - now_s)


class Lease:
    """This process's hold of the run `name`; `clock` gives the time of day in seconds."""

    def __init__(self, store: RunStore, name: str, clock: Callable[[], float], holder: Holder | None = None) -> None:
        self._store, self._name, self._clock = store, name, clock
        self._holder = holder or Holder.here()
        self._number = 0

    def take(self) -> None:
        """Take the run.

        Raises:
            Conflict: a head that lives has it.
            Unavailable: the storage is away.
        """
        taken = False
        while not taken:
            number = self._last()
            self._require_free(number)
            self._number = number + 1
            taken = self._store.create(_file(self._number), self._record().text())

    def beat(self) -> None:
        """Tell that this process lives.

        Raises:
            Conflict: another has taken the run meanwhile.
            Unavailable: the storage is away.
        """
        if (last := self._last()) != self._number:
            known = self._read(last)
            raise Conflict(
                f"{known.holder.host if known else 'another head'} has taken the run {self._name!r}, as nothing was "
                f"heard of this process for {LEASE_S:.0f} s: it goes on there"
            )
        self._store.write(_file(self._number), self._record().text())

    def give_back(self) -> None:
        """Let others take the run at once. Raises Unavailable."""
        self._store.write(_file(self._number), self._record(is_given_back=True).text())

    def _require_free(self, number: int) -> None:
        known = self._read(number)
        if known is None or not (left_s := known.left_s(self._clock())):
            return
        who = f"{known.holder.host}, process {known.holder.pid}, heard of {self._clock() - known.beat_s:.0f} s ago"
        raise Conflict(
            f"another process is at the run {self._name!r} ({who}): wait for it, or give this one another --name. "
            f"If it is dead, the run is free in {left_s:.0f} s"
        )

    def _last(self) -> int:
        return max((int(name.partition(".")[0]) for name in self._store.names(_FOLDER)), default=0)

    def _read(self, number: int) -> Record | None:
        text = self._store.read(_file(number)) if number else None
        if text is None:
            return None
        with suppress(ValueError, TypeError, KeyError):  # cut off, on a file system that has no hard links
            return Record.read(text)
        return None

    def _record(self, is_given_back: bool = False) -> Record:
        return Record(self._holder, self._clock(), is_given_back)


def _file(number: int) -> str:
    return f"{_FOLDER}/{number:08}.json"


def _machine() -> str:
    """Return what is the same for two processes that see each other by number, and for no others."""
    try:
        return f"{_BOOT.read_text().strip()} {_PID_SPACE.readlink()}"
    except OSError:
        return socket.gethostname()
