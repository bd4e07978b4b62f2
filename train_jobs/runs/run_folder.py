"""The files of a run: its folder in home; in its storage the lease, how it was started, and its MLflow id.

Every driver can read the storage, so that another one can resume the run when the first is gone.
"""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from sentiment.errors import Conflict, Unavailable
from sentiment.settings import Settings
from sentiment.training.checkpoint import require_same, require_workers
from train_jobs.runs.lease import BEAT_S, Lease
from train_jobs.runs.run_store import RunStore

_LOG = logging.getLogger(__name__)
_CONFIG: Final = "config.json"
_START: Final = "begun.json"
_VERSION: Final = "version"
_TRACKED: Final = "mlflow-run"


@dataclass(frozen=True)
class RunStart:
    """What must stay the same, beside the configuration, whenever a run is resumed."""

    workers: int = 1
    storage: str | None = None
    """Folder or s3:// address of its checkpoints; None for home."""


@dataclass(frozen=True)
class RunFolder:
    """A run that this process holds the lease of."""

    folder: Path
    """Its folder in home."""
    local: RunStore
    """Its files in home."""
    shared: RunStore
    """Its files in its storage; the same as `local` where that is home."""
    lease: Lease

    @property
    def name(self) -> str:
        """The run's name."""
        return self.folder.name

    def keep_begun(self, start: RunStart) -> None:
        """Store how the run is started; to be called when all checks have passed."""
        for store in (self.shared, self.local):
            store.write(_START, json.dumps(asdict(start)) + "\n")

    def tracked_as(self) -> str | None:
        """Return the run's id in MLflow, None if it has none yet."""
        return self.shared.read(_TRACKED) or self.local.read(_TRACKED)

    def keep_tracked_as(self, run_id: str) -> None:
        """Store the run's id in MLflow."""
        self.shared.write(_TRACKED, run_id)

    def require_held(self) -> None:
        """Raise Conflict if another driver has taken the run over."""
        self.lease.beat()


def run_place(home: Path, name: str) -> Path:
    """Return the path of the folder of the run `name`."""
    return home / "runs" / name


def version_folder(folder: Path) -> Path:
    """Return the folder, inside a run's folder, of the version that the run makes."""
    return folder / _VERSION


@contextmanager
def run_folder(
    settings: Settings,
    name: str,
    config: Mapping[str, Any],
    start: RunStart | None = None,
    clock: Callable[[], float] = time.time,
) -> Iterator[RunFolder]:
    """Yield the run `name`, leased to this process alone while the block runs.

    Raises:
        Conflict: another process holds the run; or it was started with another configuration (the error names the
            field), another number of workers, or another storage.
        Unavailable: the storage does not answer.
    """
    folder = run_place(settings.home, name)
    local = RunStore(str(folder))
    _require_storage_of(local, start)  # before anything is written into another storage
    storage = start.storage if start else None
    shared = RunStore(f"{storage}/{name}", settings.s3_endpoint) if storage else local
    lease = Lease(shared, name, clock)
    lease.take()
    with _beating(lease):
        if start and (stored_start := _start_in(shared)):
            require_workers(stored_start.workers, start.workers)
        _claim(shared, local, config)
        yield RunFolder(folder, local, shared, lease)


@contextmanager
def _beating(lease: Lease) -> Iterator[None]:
    """Renew the lease from a thread while the block runs, and release it at the end.

    Raises:
        Conflict: another driver has taken the run; the block is interrupted as by Ctrl+C.
    """
    ended, lost = threading.Event(), threading.Event()
    reasons: list[Conflict] = []

    def beat() -> None:
        """Renew until the block has ended or the lease is lost; a short outage of the storage does no harm."""
        while not ended.wait(BEAT_S):
            try:
                lease.beat()
            except Unavailable as exc:
                _LOG.warning("the lease of the run could not be renewed and is tried again: %s", exc)
            except Conflict as exc:
                reasons.append(exc)
                lost.set()
                _interrupt_main_thread()
                return

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield
        if lost.is_set():
            raise reasons[0]
    except BaseException as exc:
        if lost.is_set() and exc is not reasons[0]:
            raise reasons[0] from exc
        raise
    finally:
        ended.set()
        thread.join()
        if not lost.is_set():
            with suppress(Unavailable):  # the lease expires by itself
                lease.give_back()


def _interrupt_main_thread() -> None:
    """Send SIGINT to the main thread: it ends a wait at once, which `_thread.interrupt_main` lets come to its end."""
    if main := threading.main_thread().ident:
        signal.pthread_kill(main, signal.SIGINT)


def _claim(shared: RunStore, local: RunStore, config: Mapping[str, Any]) -> None:
    new = json.dumps(config, indent=2) + "\n"
    if stored := shared.read(_CONFIG) or local.read(_CONFIG):  # earlier releases stored it in home only
        require_same(json.loads(stored), json.loads(new))
    else:
        shared.write(_CONFIG, new)


def _start_in(store: RunStore) -> RunStart | None:
    text = store.read(_START)  # missing for a new run, and for one of an early release
    return RunStart(**json.loads(text)) if text else None


def _require_storage_of(local: RunStore, start: RunStart | None) -> None:
    stored = _start_in(local) if start else None
    if start is None or stored is None:
        return
    require_workers(stored.workers, start.workers)
    if stored.storage != start.storage:
        raise Conflict(
            f"the run of this name has its checkpoints in {stored.storage or 'home'}, not in "
            f"{start.storage or 'home'}: resume it {_storage_remedy(stored)}, or give the new run another --name",
            "storage",
        )


def _storage_remedy(stored: RunStart) -> str:
    return f"with --storage {stored.storage}" if stored.storage else "without --storage"
