"""Ray Train's list of a run's checkpoints, kept twice: Ray writes it over the one before it.

A driver or a machine that ends in that moment leaves it cut off, and Ray Train then refuses the run for good. What is
in S3 is written whole or not at all.
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

#: What Ray Train calls it, in a run's folder.
LIST: Final = "checkpoint_manager_snapshot.json"
_COPY: Final = "checkpoints.json"
_CHECKPOINTS: Final = "checkpoint_*"
_ASIDE: Final = "put-aside-{}"

_Listed = Mapping[str, Any]


class ListKeeper(UserCallback):
    """Copies the list in `folder` whenever Ray has written it: checkpoints leave only after the next one is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def after_report(
        self,
        run_context: TrainContext,  # noqa: ARG002 - Ray names them
        metrics: list[dict[str, Any]],  # noqa: ARG002
        checkpoint: Checkpoint | None,
    ) -> None:
        """Copy it; a copy that cannot be made leaves the one before, of which `mend_list` takes what is still there."""
        if checkpoint is not None:
            with contextlib.suppress(OSError):
                if listed := _read(self._folder / LIST):
                    write_whole(self._folder / _COPY, json.dumps(listed))


def keep_list(folder: Path) -> ListKeeper:
    """Mend the list in a run's folder, and return the callback that keeps it twice from here on. Raises Unavailable."""
    mend_list(folder)
    return ListKeeper(folder)


def mend_list(folder: Path) -> None:
    """Put the copy in place of a list that is cut off; without one the run begins anew, its checkpoints put aside.

    Nothing tells then which of them are whole. A list that is whole is copied: its driver may have been killed before.

    Raises:
        Unavailable: the list cannot be read or mended.
    """
    with _told(folder):
        if not (folder / LIST).exists():
            return
        if listed := _read(folder / LIST):
            write_whole(folder / _COPY, json.dumps(listed))
        elif (copy := _read(folder / _COPY)) and (left := _of_those_there(copy, folder)):
            write_whole(folder / LIST, json.dumps(left))
        else:
            _put_aside(folder)


def _read(path: Path) -> _Listed | None:
    """Return a list, None if there is none or it is cut off."""
    try:
        found: _Listed = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found


def _of_those_there(listed: _Listed, folder: Path) -> _Listed | None:
    """Return the list without checkpoints that are gone, as some are if it is an older one; None if all are.

    Ray deletes after it has written the next list. Its trainings validate in the loop: none of them is pending.
    """
    pairs = zip(listed["checkpoint_results"], listed["checkpoint_report_indices"], strict=True)
    kept = [(each, index) for each, index in pairs if (folder / each["checkpoint_dir_name"]).is_dir()]
    if not kept:
        return None
    latest = listed["latest_checkpoint_result"]
    return {
        **listed,
        "checkpoint_results": [each for each, _ in kept],
        "checkpoint_report_indices": [index for _, index in kept],
        "latest_checkpoint_result": latest if _has(kept, latest) else max(kept, key=lambda pair: pair[1])[0],
    }


def _has(kept: list[tuple[_Listed, int]], latest: _Listed) -> bool:
    return any(each["checkpoint_dir_name"] == latest["checkpoint_dir_name"] for each, _ in kept)


def _put_aside(folder: Path) -> None:
    aside = next(path for number in count(1) if not (path := folder / _ASIDE.format(number)).exists())
    aside.mkdir()
    for checkpoint in sorted(folder.glob(_CHECKPOINTS)):  # the list is the last of them
        checkpoint.rename(aside / checkpoint.name)
    _LOG.warning(
        "the list of checkpoints in %s is cut off, and there is no copy: the run begins anew, %s holds its checkpoints",
        folder,
        aside,
    )


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise no_room(exc) or Unavailable(
            f"the list of checkpoints in {folder} cannot be read or mended ({exc.strerror or exc}): is its disk there, "
            "and may this user write there? Nothing is lost; the same command goes on"
        ) from exc
