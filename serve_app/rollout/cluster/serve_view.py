"""The controller's view of the applications in Serve: no round waits long for it, and messages name no folders."""

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
    """The applications as last read. Their messages are public, so file names in them are given without `home`."""

    target: Target
    home: Path
    apps: Mapping[int, AppView] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._call: BackgroundCall[Mapping[int, AppView]] = BackgroundCall()
        self._logged: dict[int, str] = {}

    async def look(self, patience_s: float) -> bool:
        """Read the applications; return whether Serve answered within `patience_s`. If not, the last ones stay."""
        if not self._call.is_under_way:
            self._call.begin(self.target.apps)
        ended = await self._call.ended(patience_s)
        if ended is None:
            return False
        apps = ended.result()
        self._log_new({version: view.message for version, view in apps.items() if view.message})
        self.apps = {
            version: replace(view, message=without_folders(view.message, self.home)) for version, view in apps.items()
        }
        return True

    def _log_new(self, messages: dict[int, str]) -> None:
        """Log each message once, with the folders that the public messages leave out."""
        for version, message in messages.items():
            if message != self._logged.get(version):
                logger.warning("Serve reports of version %d: %s", version, message)
        self._logged = messages
