"""What the reconcile loop acts on, as it sees it: the applications of versions, and the gateways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from serve_app.rollout.cluster.placement import Capacity
from serve_app.rollout.policy.decisions import AppState

APP_PREFIX: Final = "classifier-v"


@dataclass(frozen=True, slots=True)
class AppView:
    """How an application is, what Serve says of it in one line, and how many replicas of it answer."""

    state: AppState
    message: str = ""
    replicas: int = 0


def app_name(version: int) -> str:
    """Return the name of a version's application."""
    return f"{APP_PREFIX}{version}"


class Target(Protocol):
    """The applications of model versions. All but `check` block."""

    def apps(self) -> Mapping[int, AppView]:
        """Return how the application of each version is."""

    def start(self, model: str, version: int, digest: str, capacity: Capacity) -> None:
        """Start a version's application and return at once."""

    def retire(self, version: int) -> None:
        """End a version's application and return at once."""

    def keep_replicas(self, version: int, least: int) -> None:
        """Let a version that runs and scales keep so many replicas at least, from now on."""

    def no_room(self, version: int, capacity: Capacity) -> str | None:
        """Return what is missing for a version of this capacity, None if nothing is."""

    async def check(self, version: int) -> dict[str, float]:
        """Let a version answer its known texts; return the numbers. Raises ModelRejected."""


class Gateways(Protocol):
    """All gateways at once."""

    async def push(self, generation: int, body: dict[str, Any]) -> None:
        """Tell them a traffic table; one that misses it reads the store."""

    async def observations(self) -> list[dict[str, Any]]:
        """Return what each counts and the generation of the table that it has in force, of those that answer."""
