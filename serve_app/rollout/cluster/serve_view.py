"""What Serve says of the applications of model versions: no round waits long for it, and no folder is told on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sentiment.redaction import without_folders
from serve_app.rollout.cluster.background_call import BackgroundCall
from serve_app.rollout.cluster.protocols import AppView, Target

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class ServeView:
    """The applications as last looked at. Their messages become public, so that they name files without `home`."""

    target: Target
    home: Path
    apps: Mapping[int, AppView] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._looking: BackgroundCall[Mapping[int, AppView]] = BackgroundCall()
        self._said: dict[int, str] = {}

    async def look(self, patience_s: float) -> bool:
        """Take how the applications are if Serve says so soon, and return whether it did; else what was said stays."""
        if not self._looking.is_under_way:
            self._looking.begin(self.target.apps)
        ended = await self._looking.ended(patience_s)
        if ended is None:
            return False
        apps = ended.result()
        self._log_new({version: view.message for version, view in apps.items() if view.message})
        self.apps = {
            version: replace(view, message=without_folders(view.message, self.home)) for version, view in apps.items()
        }
        return True

    def _log_new(self, said: dict[int, str]) -> None:
        """Log each message once, as it is: where the files lie stands nowhere else."""
        for version, message in said.items():
            if message != self._said.get(version):
                logger.warning("Serve says of version %d: %s", version, message)
        self._said = said
