"""Decides the controller's next step from what is and what should be. Pure: no clock, no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: How long a version without traffic keeps running, so that going back is quick and late requests are answered.
RETIRE_AFTER_S: Final = 30.0
#: How long a version that does not load is left alone before it is tried again.
RETRY_AFTER_S: Final = 60.0


class AppState(StrEnum):
    """How the application of a version is."""

    LOADING = "loading"
    RUNNING = "running"
    FAILED = "failed"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Observed:
    """What the controller sees. `serving` is the version that has the traffic; ages count from its last change."""

    champion: int | None
    serving: int | None
    apps: Mapping[int, AppState]
    since_published_s: float
    since_failed_s: float


@dataclass(frozen=True, slots=True)
class Start:
    """Start the application of a version."""

    version: int


@dataclass(frozen=True, slots=True)
class Publish:
    """Give a version all the traffic."""

    version: int


@dataclass(frozen=True, slots=True)
class Retire:
    """End the application of a version."""

    version: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing, for a reason. `settled` says that nothing is under way either."""

    reason: str
    settled: bool = False


Decision = Start | Publish | Retire | Wait


def decide(observed: Observed) -> Decision:
    """Return the one next step. Without a champion (the registry is away or empty) the serving version is kept up."""
    wanted = observed.champion if observed.champion is not None else observed.serving
    if wanted is None:
        return Wait("the registry names no champion yet")
    return _bring_up(observed, wanted) or _tidy(observed, wanted) or Wait(f"version {wanted} serves", settled=True)


def _bring_up(observed: Observed, wanted: int) -> Decision | None:
    state = observed.apps.get(wanted)
    if state is None:
        return Start(wanted)
    if state is AppState.FAILED:
        again = observed.since_failed_s >= RETRY_AFTER_S
        return Retire(wanted) if again else Wait(f"version {wanted} does not load; it is tried again soon")
    if state is not AppState.RUNNING:
        return Wait(f"version {wanted} is {state.value}")
    return Publish(wanted) if observed.serving != wanted else None


def _tidy(observed: Observed, wanted: int) -> Decision | None:
    if observed.since_published_s < RETIRE_AFTER_S:
        return None
    others = (v for v, state in sorted(observed.apps.items()) if v != wanted and state is not AppState.LEAVING)
    return next((Retire(version) for version in others), None)
