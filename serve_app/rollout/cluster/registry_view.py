"""What the registry says, and the aliases that the controller moves there: no round waits long for either."""

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

#: How long a registry that was silent has answered again before its word is final: what had piled up there is done.
STEADY_MS: Final = 5_000
#: The pause after a change that failed.
_RETRY_S: Final = 1.0


@dataclass(eq=False)
class RegistryView:
    """The versions of one registered model as last read; `now_ms` is the time of day, `now_s` a steady clock.

    `busy` says which alias is being moved: until the registry has been read after it, no other is. `asked_ms` is when
    the registry was asked for what is known, None where that may be out of date: an alias was moved since, or the
    registry was silent a moment ago and may still carry out what it was asked for before.
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
        """Return the version that bears an alias."""
        return next((known.version for known in self.versions if alias in known.aliases), None)

    @property
    def refused(self) -> dict[int, str]:
        """Versions that bear an alias although they answer with other labels, for which MLflow's page does not look."""
        reasons = {known.version: _refusal(known) for known in self.versions if known.aliases}
        return {version: reason for version, reason in reasons.items() if reason}

    async def read(self, patience_s: float) -> None:
        """Take what the registry says if it is due and comes within `patience_s`; else a later call takes it."""
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
        """Read, as `read` does, and return whether the registry says otherwise than before."""
        before = self.versions
        await self.read(patience_s)
        return self.versions != before

    async def move(self, alias: str, version: int | None, patience_s: float) -> None:
        """Let `alias` name `version`, or none; does nothing while `busy`, and waits no longer than `patience_s`."""
        if self.busy:
            return
        self.asked_ms = None
        if version is None:
            self.busy = f"the registry is asked to take the alias {alias} away"
            self._moving.begin(self.registry.remove_alias, self.model, alias)
        else:
            self.busy = f"the registry is asked to let the alias {alias} name version {version}"
            self._moving.begin(self.registry.set_alias, self.model, alias, version)
        await self._take_move(patience_s)

    def _take(self, ended: asyncio.Task[list[RegisteredVersion]]) -> None:
        self._due_s, self.asked_ms = self.now_s() + self.poll_s, None
        try:
            self.versions = ended.result()
        except UndertoneError as exc:
            self._answers_since_ms = None
            logger.warning("the registry does not answer, what serves stays: %s", exc)
            return
        if self._answers_since_ms is None:
            self._answers_since_ms = self.now_ms()
        if self._moving.is_under_way or self._begun_moves != self._moves:  # it may know nothing of the move
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
            logger.warning("%s, in vain so far: %s", self.busy, exc)
            self.busy = f"{self.busy}, in vain so far: {without_folders(str(exc))}"  # a rollout tells what it waits for
            self._answers_since_ms, self._due_s = None, self.now_s() + _RETRY_S


def _refusal(version: RegisteredVersion) -> str | None:
    try:
        require_label_set(version)
    except Conflict as exc:
        return str(exc)
    return None
