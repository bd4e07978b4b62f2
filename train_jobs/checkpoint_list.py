"""Ray Train's list of a run's checkpoints, kept twice: Ray writes it over the one before it.

A driver or a machine that ends in that moment leaves it cut off, and Ray Train then refuses the run for good. What is
in S3 is written whole or not at all.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any, Final

from ray.train import Checkpoint, UserCallback
from ray.train.v2.api.context import TrainContext

#: What Ray Train calls it, in a run's folder.
LIST: Final = "checkpoint_manager_snapshot.json"
_COPY: Final = "checkpoints.json"
_DRAFT: Final = ".checkpoints-draft"
_CHECKPOINTS: Final = "checkpoint_*"


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
        """Copy it; a copy that cannot be made leaves the one before."""
        listed = self._folder / LIST
        if checkpoint is not None and _is_whole(listed):
            with contextlib.suppress(OSError):
                _copy(listed, self._folder / _COPY, self._folder / _DRAFT)


def mend_list(folder: Path) -> bool:
    """Put the copy in place of a list that is cut off; return False where there is none, so that the run begins anew.

    Then the checkpoints go too: nothing tells which of them are whole.
    """
    listed = folder / LIST
    if not listed.exists() or _is_whole(listed):
        return True
    if _is_whole(folder / _COPY):
        _copy(folder / _COPY, listed, folder / _DRAFT)
        return True
    for checkpoint in folder.glob(_CHECKPOINTS):
        shutil.rmtree(checkpoint, ignore_errors=True)
    listed.unlink()
    return False


def _copy(source: Path, target: Path, draft: Path) -> None:
    shutil.copyfile(source, draft)
    draft.replace(target)


def _is_whole(listed: Path) -> bool:
    try:
        json.loads(listed.read_text())
    except (OSError, ValueError):
        return False
    return True
