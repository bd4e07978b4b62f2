"""The watcher of a training loop without Ray: it logs the figures and keeps the latest checkpoint in a folder."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

_LOG = logging.getLogger(__name__)
_NAME: Final = "step-{:08d}"


class LatestCheckpoint:
    """Keeps the latest checkpoint in `folder`; if the process is killed, a complete checkpoint is still there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def latest(self) -> Path | None:
        """The latest checkpoint, or None."""
        return max(self._folder.glob("step-*"), default=None)

    def report(self, figures: Mapping[str, float]) -> None:
        """Log the latest figures."""
        _LOG.info("%s", "  ".join(f"{name} {value:.6g}" for name, value in figures.items()))

    def keep(self, figures: Mapping[str, float], write: Callable[[Path], None]) -> None:
        """Store a checkpoint, then delete the earlier ones; log the figures of a validation."""
        self._folder.mkdir(parents=True, exist_ok=True)
        older = list(self._folder.iterdir())
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self._folder))
        write(draft)
        target = self._folder / _NAME.format(int(figures["step"]))
        draft.rename(target)
        for folder in older:
            shutil.rmtree(folder)
        if "score" in figures:
            self.report(figures)
