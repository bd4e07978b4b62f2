"""The folder of a run in home: one process at it at a time, what it was begun with, and its id in MLflow."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from sentiment.errors import Conflict
from sentiment.training.checkpoint import require_same, require_workers
from train_jobs.drafts import write_whole

_LOCK: Final = "driver.lock"
_CONFIG: Final = "config.json"
_BEGUN: Final = "begun.json"
_VERSION: Final = "version"
_TRACKED: Final = "mlflow-run"


@dataclass(frozen=True)
class Begun:
    """What beside its configuration is the same in all lives of a run. Without `storage` checkpoints lie in home."""

    workers: int = 1
    storage: str | None = None


def run_place(home: Path, name: str) -> Path:
    """Return where the folder of the run `name` is, or would be."""
    return home / "runs" / name


def version_folder(folder: Path) -> Path:
    """Return where in a run's folder the version that it made is."""
    return folder / _VERSION


@contextmanager
def run_folder(home: Path, name: str, config: Mapping[str, Any], begun: Begun | None = None) -> Iterator[Path]:
    """Yield the folder of the run `name`, which no other process is at while the block runs.

    Raises:
        Conflict: another process is, or the run was begun with another configuration, naming the field, with another
            number of workers, or with another place for its checkpoints.
    """
    folder = run_place(home, name)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise Conflict(
                f"another process is at the run {name!r}: wait for it, or give this one another --name"
            ) from exc
        if begun:
            _require_begun(folder / _BEGUN, begun)
        _claim(folder / _CONFIG, config)
        yield folder


def keep_begun(folder: Path, begun: Begun) -> None:
    """Remember what the run is begun with; to be called once it can begin."""
    write_whole(folder / _BEGUN, json.dumps(asdict(begun)) + "\n")


def tracked_as(folder: Path) -> str | None:
    """Return the id that the run has in MLflow, None if it was not begun there."""
    kept = folder / _TRACKED
    return kept.read_text() if kept.is_file() else None


def keep_tracked_as(folder: Path, run_id: str) -> None:
    """Remember the id that the run has in MLflow."""
    write_whole(folder / _TRACKED, run_id)


def _claim(path: Path, config: Mapping[str, Any]) -> None:
    wanted = json.dumps(config, indent=2) + "\n"
    if path.is_file():
        require_same(json.loads(path.read_text()), json.loads(wanted))
    else:
        write_whole(path, wanted)


def _require_begun(path: Path, wanted: Begun) -> None:
    if not path.is_file():  # the run is new, or of a time when this was not kept
        return
    known = Begun(**json.loads(path.read_text()))
    require_workers(known.workers, wanted.workers)
    if known.storage != wanted.storage:
        raise Conflict(
            f"the run under this name keeps its checkpoints in {known.storage or 'home'}, not in "
            f"{wanted.storage or 'home'}: go on {_storage_remedy(known)}, or give the new run another --name",
            "storage",
        )


def _storage_remedy(known: Begun) -> str:
    return f"with --storage {known.storage}" if known.storage else "without --storage"
