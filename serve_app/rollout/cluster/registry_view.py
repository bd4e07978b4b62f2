"""The controller's view of the registry, and the aliases that it moves there; no round waits long for either."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sentiment.errors import Conflict, UndertoneError
from sentiment.redaction import without_folders
from sentiment.registry import ModelRegistry, RegisteredVersion, require_label_set
from serve_app.rollout.cluster.background_call import BackgroundCall

logger = logging.getLogger(__name__)

#: After an outage, the registry's answers are trusted once it has answered this long: what was queued there is done.
STEADY_MS: Final = 5_000
#: The pause after a change that failed.
_RETRY_S: Final = 1.0


@dataclass(eq=False)
class RegistryView:
    """The versions of one registered model as last read; `now_ms` is the time of day, `now_s` a steady clock.

    `busy` says which alias is being moved; no other is moved until the registry was read after it. `asked_ms` is when
    the registry was asked for `versions`. It is None where they may be out of date: an alias was moved since, or the
    registry has just come back and may still carry out an earlier request.
    """

    registry: ModelRegistry
    model: str
    poll_s: float
    now_ms: Callable[[], int]
    now_s: Callable[[], float]

    def __post_init__(self) -> None:
        self.versions: list[RegisteredVersion] = []
        self.busy: str | None = None
        self.asked_ms: int | None = None
        self._reading: BackgroundCall[list[RegisteredVersion]] = BackgroundCall()
        self._moving: BackgroundCall[None] = BackgroundCall()
        self._due_s = self._begun_s = 0.0
        self._begun_ms = 0
        self._moves = self._begun_moves = 0
        self._answers_since_ms: int | None = None

    def bearer(self, alias: str) -> int | None:
        """Return the version that has an alias, None if none has."""
        return next((row.version for row in self.versions if alias in row.aliases), None)

    @property
    def refused(self) -> dict[int, str]:
        """Versions with an alias that must not serve, since their labels are others, with the reason.

        MLflow's own page gives such a version an alias without checking its labels.
        """
        reasons = {row.version: _refusal(row) for row in self.versions if row.aliases}
        return {version: reason for version, reason in reasons.items() if reason}

    async def read(self, patience_s: float) -> None:
        """Read the versions if that is due; an answer that takes longer than `patience_s` is taken by a later call."""
        await self._take_move(0.0)
        if not self._reading.is_under_way:
            if self.versions and self.now_s() < self._due_s:
                return
            self._begun_s, self._begun_ms, self._begun_moves = self.now_s(), self.now_ms(), self._moves
            self._reading.begin(self.registry.versions, self.model)
        ended = await self._reading.ended(patience_s)
        if ended is not None:
            self._take(ended)

    async def is_new(self, patience_s: float) -> bool:
        """Read, as `read` does, and return whether the versions have changed."""
        before = self.versions
        await self.read(patience_s)
        return self.versions != before

    async def move(self, alias: str, version: int | None, patience_s: float) -> None:
        """Move `alias` to `version`, or remove it; does nothing while `busy`, and waits at most `patience_s`."""
        if self.busy:
            return
        self.asked_ms = None
        if version is None:
            self.busy = f"the registry is asked to remove the alias {alias}"
            self._moving.begin(self.registry.remove_alias, self.model, alias)
        else:
            self.busy = f"the registry is asked to move the alias {alias} to version {version}"
            self._moving.begin(self.registry.set_alias, self.model, alias, version)
        await self._take_move(patience_s)

    def _take(self, ended: asyncio.Task[list[RegisteredVersion]]) -> None:
        self._due_s, self.asked_ms = self.now_s() + self.poll_s, None
        try:
            self.versions = ended.result()
        except UndertoneError as exc:
            self._answers_since_ms = None
            logger.warning("the registry does not answer, the present versions go on serving: %s", exc)
            return
        if self._answers_since_ms is None:
            self._answers_since_ms = self.now_ms()
        if self._moving.is_under_way or self._begun_moves != self._moves:  # the answer may be older than the move
            self._due_s = 0.0
            return
        self._due_s, self.busy = self._begun_s + self.poll_s, None
        if self._begun_ms >= self._answers_since_ms + STEADY_MS:
            self.asked_ms = self._begun_ms

    async def _take_move(self, patience_s: float) -> None:
        ended = await self._moving.ended(patience_s)
        if ended is None:
            return
        self._moves, self._due_s = self._moves + 1, 0.0
        try:
            ended.result()
        except UndertoneError as exc:
            logger.warning("%s, which failed and is tried again: %s", self.busy, exc)
            self.busy = f"{self.busy}, which failed and is tried again: {without_folders(str(exc))}"
            self._answers_since_ms, self._due_s = None, self.now_s() + _RETRY_S


def _refusal(version: RegisteredVersion) -> str | None:
    try:
        require_label_set(version)
    except Conflict as exc:
        return str(exc)
    return None
