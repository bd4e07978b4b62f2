"""A lease in a run's storage, so that only one driver works at a run; a dead driver loses it.

Lease files are numbered. To take the lease is to create the next number, which only one process can do; the holder
then renews the time in its own file. The lease is free if the last file is old, released, or of a dead process.
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

#: A holder renews its lease every `BEAT_S` seconds and loses it after `LEASE_S`; clocks must differ by less.
BEAT_S: Final = 15.0
LEASE_S: Final = 60.0
_FOLDER: Final = "lease"
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_PID_SPACE: Final = Path("/proc/self/ns/pid")


@dataclass(frozen=True)
class Holder:
    """A process that holds a lease, or wants to."""

    host: str
    machine: str
    """Equal for two processes that see each other by process id, and for no others."""
    pid: int
    started_s: float
    """Start of the process, in seconds since 1970."""

    @classmethod
    def here(cls) -> Holder:
        """Return this process."""
        return cls(socket.gethostname(), _machine(), os.getpid(), psutil.Process().create_time())

    def is_gone(self) -> bool:
        """Return whether the process has ended, as far as this machine can tell."""
        if self.machine != _machine():
            return False
        try:
            process = psutil.Process(self.pid)
            return process.create_time() != self.started_s or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True


@dataclass(frozen=True)
class LeaseRecord:
    """The content of a lease file: its holder, the time of the last renewal, and whether it was released."""

    holder: Holder
    beat_s: float
    is_given_back: bool = False

    @classmethod
    def read(cls, text: str) -> LeaseRecord:
        """Return the record that a file holds."""
        plain = json.loads(text)
        return cls(Holder(**plain.pop("holder")), **plain)

    def text(self) -> str:
        """Return the record as a file holds it."""
        return json.dumps(asdict(self)) + "\n"

    def left_s(self, now_s: float) -> float:
        """Return the seconds until the lease expires unless it is renewed; 0 if it is free."""
        if self.is_given_back or self.holder.is_gone():
            return 0.0
        return max(0.0, self.beat_s + LEASE_S - now_s)


class Lease:
    """This process's lease of the run `name`; `clock` returns seconds since 1970."""

    def __init__(self, store: RunStore, name: str, clock: Callable[[], float], holder: Holder | None = None) -> None:
        self._store, self._name, self._clock = store, name, clock
        self._holder = holder or Holder.here()
        self._number = 0

    def take(self) -> None:
        """Take the lease.

        Raises:
            Conflict: a live process holds it.
            Unavailable: the storage does not answer.
        """
        created = False
        while not created:
            number = self._last()
            self._require_free(number)
            self._number = number + 1
            created = self._store.create(_file(self._number), self._record().text())

    def beat(self) -> None:
        """Renew the lease.

        Raises:
            Conflict: another process has taken it.
            Unavailable: the storage does not answer.
        """
        if (last := self._last()) != self._number:
            newer = self._read(last)
            raise Conflict(
                f"{newer.holder.host if newer else 'another process'} has taken over the run {self._name!r}, because "
                f"this process did not renew its lease for {LEASE_S:.0f} s: the run goes on there"
            )
        self._store.write(_file(self._number), self._record().text())

    def give_back(self) -> None:
        """Release the lease, so that others can take it at once. Raises Unavailable."""
        self._store.write(_file(self._number), self._record(is_given_back=True).text())

    def _require_free(self, number: int) -> None:
        record = self._read(number)
        if record is None or not (left_s := record.left_s(self._clock())):
            return
        age_s = self._clock() - record.beat_s
        who = f"process {record.holder.pid} on {record.holder.host}, last seen {age_s:.0f} s ago"
        raise Conflict(
            f"another process holds the run {self._name!r} ({who}): wait for it, or give this run another --name. "
            f"If that process is dead, the run is free in {left_s:.0f} s"
        )

    def _last(self) -> int:
        return max((int(name.partition(".")[0]) for name in self._store.names(_FOLDER)), default=0)

    def _read(self, number: int) -> LeaseRecord | None:
        text = self._store.read(_file(number)) if number else None
        if text is None:
            return None
        with suppress(ValueError, TypeError, KeyError):  # truncated, on a file system without hard links
            return LeaseRecord.read(text)
        return None

    def _record(self, is_given_back: bool = False) -> LeaseRecord:
        return LeaseRecord(self._holder, self._clock(), is_given_back)


def _file(number: int) -> str:
    return f"{_FOLDER}/{number:08}.json"


def _machine() -> str:
    """Return a text that is equal for two processes that see each other by process id, and for no others."""
    try:
        return f"{_BOOT.read_text().strip()} {_PID_SPACE.readlink()}"
    except OSError:
        return socket.gethostname()
