"""A second copy of Ray Train's list of checkpoints, because Ray overwrites its own in place.

If the driver or the machine dies during the write, the list is truncated, and Ray Train cannot resume the run. Lists in
S3 need no copy: they are written whole or not at all.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final

from ray.train import Checkpoint, UserCallback
from ray.train.v2.api.context import TrainContext

from sentiment.errors import Unavailable, no_room
from train_jobs.runtime.drafts import write_whole

_LOG = logging.getLogger(__name__)

#: Ray Train's file name of the list in a run's folder.
LIST: Final = "checkpoint_manager_snapshot.json"
_COPY: Final = "checkpoints.json"
_CHECKPOINTS: Final = "checkpoint_*"
_ASIDE: Final = "put-aside-{}"

_Listed = Mapping[str, Any]


class CheckpointListCopy(UserCallback):
    """Copies the list in `folder` after each checkpoint; Ray deletes old checkpoints only after the next list."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def after_report(
        self,
        run_context: TrainContext,  # noqa: ARG002 - Ray names them
        metrics: list[dict[str, Any]],  # noqa: ARG002
        checkpoint: Checkpoint | None,
    ) -> None:
        """Copy the list; if that fails, the earlier copy stays, and `mend_list` drops checkpoints that are gone."""
        if checkpoint is not None:
            with contextlib.suppress(OSError):
                if listed := _read(self._folder / LIST):
                    write_whole(self._folder / _COPY, json.dumps(listed))


def keep_list(folder: Path) -> CheckpointListCopy:
    """Repair the list in a run's folder; return the callback that copies it from now on. Raises Unavailable."""
    mend_list(folder)
    return CheckpointListCopy(folder)


def mend_list(folder: Path) -> None:
    """Replace a truncated list by its copy; if there is none, put all checkpoints aside, so that the run starts again.

    Without a list nothing says which checkpoints are complete. An intact list is copied, because the driver may have
    been killed before it did so.

    Raises:
        Unavailable: the list cannot be read or written.
    """
    with _reporting_unreadable(folder):
        if not (folder / LIST).exists():
            return
        if listed := _read(folder / LIST):
            write_whole(folder / _COPY, json.dumps(listed))
        elif (copy := _read(folder / _COPY)) and (present := _without_deleted(copy, folder)):
            write_whole(folder / LIST, json.dumps(present))
        else:
            _put_aside(folder)


def _read(path: Path) -> _Listed | None:
    """Return a list, None if it is missing or truncated."""
    try:
        listed: _Listed = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return listed


def _without_deleted(listed: _Listed, folder: Path) -> _Listed | None:
    """Return the list without the checkpoints that Ray has deleted since; None if none is left.

    Our trainings validate inside their loop, so that no result in the list is pending.
    """
    pairs = zip(listed["checkpoint_results"], listed["checkpoint_report_indices"], strict=True)
    present = [(each, index) for each, index in pairs if (folder / each["checkpoint_dir_name"]).is_dir()]
    if not present:
        return None
    latest = listed["latest_checkpoint_result"]
    return {
        **listed,
        "checkpoint_results": [each for each, _ in present],
        "checkpoint_report_indices": [index for _, index in present],
        "latest_checkpoint_result": latest if _has(present, latest) else max(present, key=lambda pair: pair[1])[0],
    }


def _has(present: list[tuple[_Listed, int]], latest: _Listed) -> bool:
    return any(each["checkpoint_dir_name"] == latest["checkpoint_dir_name"] for each, _ in present)


def _put_aside(folder: Path) -> None:
    aside = next(path for number in count(1) if not (path := folder / _ASIDE.format(number)).exists())
    aside.mkdir()
    for checkpoint in sorted(folder.glob(_CHECKPOINTS)):  # the pattern matches the list too; it comes last
        checkpoint.rename(aside / checkpoint.name)
    _LOG.warning(
        "the list of checkpoints in %s is truncated, and there is no copy: the run starts again from step 0; its old "
        "checkpoints were moved to %s",
        folder,
        aside,
    )


@contextlib.contextmanager
def _reporting_unreadable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise no_room(exc) or Unavailable(
            f"the list of checkpoints in {folder} cannot be read or written ({exc.strerror or exc}): check that its "
            "disk is mounted and that this user may write there. Nothing is lost; then run the same command again"
        ) from exc
