"""The protocols of what the reconcile loop acts on: the applications of versions, and the gateways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from serve_app.rollout.cluster.placement import Capacity
from serve_app.rollout.policy.decisions import AppState

APP_PREFIX: Final = "classifier-v"


@dataclass(frozen=True, slots=True)
class AppView:
    """An application as Serve reports it."""

    state: AppState
    message: str = ""
    """What Serve reports of it, in one line."""
    replicas: int = 0
    """How many replicas answer."""


def app_name(version: int) -> str:
    """Return the name of a version's application."""
    return f"{APP_PREFIX}{version}"


class Target(Protocol):
    """The applications of model versions. All but `check` block."""

    def apps(self) -> Mapping[int, AppView]:
        """Return the application of each version, by version."""

    def start(self, model: str, version: int, digest: str, capacity: Capacity) -> None:
        """Start a version's application and return at once."""

    def retire(self, version: int) -> None:
        """End a version's application and return at once."""

    def keep_replicas(self, version: int, least: int) -> None:
        """Set the least number of replicas of a version that runs and scales."""

    def no_room(self, version: int, capacity: Capacity) -> str | None:
        """Return, as a sentence, which resources a version of this capacity lacks; None if none."""

    async def check(self, version: int) -> dict[str, float]:
        """Run a version's self-check; return its numbers. Raises ModelRejected where it fails."""


class Gateways(Protocol):
    """All gateways at once."""

    async def push(self, generation: int, body: dict[str, Any]) -> None:
        """Send them a traffic table; a gateway that misses it reads it from the store."""

    async def observations(self) -> list[dict[str, Any]]:
        """Return the counts of each gateway that answers, and the generation of the table that it has in force."""
