"""What is kept of a run: its folder in home, and in its storage who is at it, how it was begun, and its MLflow id.

What lies in the storage any head can read, so that another one goes on when the first is gone.
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
_BEGUN: Final = "begun.json"
_VERSION: Final = "version"
_TRACKED: Final = "mlflow-run"


@dataclass(frozen=True)
class Begun:
    """What beside its configuration is the same in all lives of a run. Without `storage` checkpoints lie in home."""

    workers: int = 1
    storage: str | None = None


@dataclass(frozen=True)
class RunFolder:
    """A run that this process is at: `folder` is its place in home; `local` and `shared` are the files kept of it.

    Without another storage both are those in home.
    """

    folder: Path
    local: RunStore
    shared: RunStore
    lease: Lease

    @property
    def name(self) -> str:
        """The run's name."""
        return self.folder.name

    def keep_begun(self, begun: Begun) -> None:
        """Remember what the run is begun with; to be called once it can begin."""
        for store in (self.shared, self.local):
            store.write(_BEGUN, json.dumps(asdict(begun)) + "\n")

    def tracked_as(self) -> str | None:
        """Return the id that the run has in MLflow, None if it was not begun there."""
        return self.shared.read(_TRACKED) or self.local.read(_TRACKED)

    def keep_tracked_as(self, run_id: str) -> None:
        """Remember the id that the run has in MLflow."""
        self.shared.write(_TRACKED, run_id)

    def require_held(self) -> None:
        """Raise Conflict if another head has taken the run meanwhile."""
        self.lease.beat()


def run_place(home: Path, name: str) -> Path:
    """Return where the folder of the run `name` is, or would be."""
    return home / "runs" / name


def version_folder(folder: Path) -> Path:
    """Return where in a run's folder the version that it made is."""
    return folder / _VERSION


@contextmanager
def run_folder(
    settings: Settings,
    name: str,
    config: Mapping[str, Any],
    begun: Begun | None = None,
    clock: Callable[[], float] = time.time,
) -> Iterator[RunFolder]:
    """Yield the run `name`, which no other process is at while the block runs, on this machine or another.

    Raises:
        Conflict: another process is, or the run was begun with another configuration, naming the field, with another
            number of workers, or with another place for its checkpoints.
        Unavailable: the storage is away.
    """
    folder = run_place(settings.home, name)
    local = RunStore(str(folder))
    _require_storage_of(local, begun)  # before anything is written into another one
    storage = begun.storage if begun else None
    shared = RunStore(f"{storage}/{name}", settings.s3_endpoint) if storage else local
    lease = Lease(shared, name, clock)
    lease.take()
    with _beating(lease):
        if begun and (known := _begun_in(shared)):
            require_workers(known.workers, begun.workers)
        _claim(shared, local, config)
        yield RunFolder(folder, local, shared, lease)


@contextmanager
def _beating(lease: Lease) -> Iterator[None]:
    """Tell from a thread that this process lives; give the run back at the end.

    Raises:
        Conflict: another head has taken the run; the block is interrupted, unless who handles SIGINT lets it end.
    """
    ended, lost = threading.Event(), threading.Event()
    reasons: list[Conflict] = []

    def beat() -> None:
        """Beat until the block has ended or the run is lost; a storage that is away for a moment costs nothing."""
        while not ended.wait(BEAT_S):
            try:
                lease.beat()
            except Unavailable as exc:
                _LOG.warning("the hold of the run is not renewed: %s", exc)
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
            with suppress(Unavailable):  # its time runs out by itself
                lease.give_back()


def _interrupt_main_thread() -> None:
    """Send SIGINT to the main thread: it ends a wait at once, which `_thread.interrupt_main` lets come to its end."""
    if main := threading.main_thread().ident:
        signal.pthread_kill(main, signal.SIGINT)


def _claim(shared: RunStore, local: RunStore, config: Mapping[str, Any]) -> None:
    wanted = json.dumps(config, indent=2) + "\n"
    if known := shared.read(_CONFIG) or local.read(_CONFIG):  # it lay in home alone before
        require_same(json.loads(known), json.loads(wanted))
    else:
        shared.write(_CONFIG, wanted)


def _begun_in(store: RunStore) -> Begun | None:
    text = store.read(_BEGUN)  # None for a run that is new, or of a time when this was not kept
    return Begun(**json.loads(text)) if text else None


def _require_storage_of(local: RunStore, wanted: Begun | None) -> None:
    known = _begun_in(local) if wanted else None
    if wanted is None or known is None:
        return
    require_workers(known.workers, wanted.workers)
    if known.storage != wanted.storage:
        raise Conflict(
            f"the run under this name keeps its checkpoints in {known.storage or 'home'}, not in "
            f"{wanted.storage or 'home'}: go on {_storage_remedy(known)}, or give the new run another --name",
            "storage",
        )


def _storage_remedy(known: Begun) -> str:
    return f"with --storage {known.storage}" if known.storage else "without --storage"
