"""The observed state that the controller decides from, its possible decisions, and two that every state uses. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from serve_app.rollout.policy.record import State
from serve_app.rollout.policy.shares import Share, leader_of

#: A version that fails to load is tried again after this long.
RETRY_AFTER_S: Final = 60.0
#: For a version of the fixed split, which nobody waits for, that time doubles with each failure, up to this.
_LONGEST_RETRY_S: Final = 3600.0


class AppState(StrEnum):
    """State of a version's Serve application."""

    LOADING = "loading"
    RUNNING = "running"
    DOWN = "down"  # it ran before, and has no healthy replica now
    FAILED = "failed"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class LoadFailure:
    """Failures to load one version of the fixed split."""

    tries: int
    """How often it has failed."""
    since_s: float
    """Seconds since it failed last."""

    @property
    def again_after_s(self) -> float:
        """Seconds after the last failure at which it is tried again."""
        return min(RETRY_AFTER_S * 2.0 ** min(self.tries - 1, 10), _LONGEST_RETRY_S)


@dataclass(frozen=True, slots=True)
class ObservedState:
    """The state of registry, Serve and gateways that one round of the controller decides from."""

    champion: int | None
    """The version with the registry's alias `champion`."""
    shares: tuple[Share, ...]
    """Those of the traffic table in force."""
    apps: Mapping[int, AppState]
    """The state of each version's application, by version."""
    since_published_s: float
    """Seconds since the traffic table was last written."""
    since_failed_s: float
    """Seconds since the champion's application failed, 0 if it has not."""
    challenger: int | None = None
    """The version with the registry's alias `challenger`."""
    rollout: str | None = None
    """Id of the rollout that the traffic table was written for; None for a table without one."""
    stage: int = 0
    """Stage of that rollout."""
    challenger_down_s: float = 0.0
    """Seconds since the challenger was last healthy."""
    behind: str | None = None
    """How many gateways have not put the table in force, as a sentence; None where all have."""
    followers: int = 0
    """How many gateways have put it in force."""
    since_followed_s: float = math.inf
    """Seconds since a gateway was last behind."""
    since_all_followed_s: float = 0.0
    """Seconds since all gateways last had the table in force; 0 while all have."""
    messages: Mapping[int, str] = field(default_factory=dict)
    """What Serve reports of each version's application."""
    no_room: str | None = None
    """Which resources the rollout's challenger lacks; None if none."""
    split: Mapping[str, int] = field(default_factory=dict)
    """The fixed split that was asked for: versions by value."""
    table_split: Mapping[str, int] = field(default_factory=dict)
    """The fixed split of the traffic table in force."""
    failing: Mapping[int, LoadFailure] = field(default_factory=dict)
    """Versions of the fixed split that fail to load."""
    asked_ms: int | None = None
    """When the registry was asked for the aliases given here (epoch ms); None where they may be out of date."""
    busy: str | None = None
    """Which alias is being moved, as a sentence; None if none is."""
    lacking: Mapping[int, str] = field(default_factory=dict)
    """Which resources are missing for versions that are to start beside others, by version."""
    refused: Mapping[int, str] = field(default_factory=dict)
    """Versions that have an alias but may not serve, each with the reason."""

    @property
    def serving(self) -> int | None:
        """The version that has most of the traffic."""
        return leader_of(self.shares)

    def why_down(self, version: int) -> str:
        """Return why a version's application does not load, as Serve reports it."""
        return self.messages.get(version) or "Serve gives no reason"


@dataclass(frozen=True, slots=True)
class StartApplication:
    """Start the application of a version."""

    version: int


@dataclass(frozen=True, slots=True)
class PublishTable:
    """Write a traffic table with these shares."""

    shares: tuple[Share, ...]
    rollout: str | None = None
    """Id of the rollout that it is for, if any."""
    stage: int = 0
    """Stage of that rollout."""
    split: Mapping[str, int] = field(default_factory=dict)
    """The fixed split: versions by value."""


@dataclass(frozen=True, slots=True)
class RetireApplication:
    """End the application of a version."""

    version: int


@dataclass(frozen=True, slots=True)
class CheckVersion:
    """Run the self-check of a loaded version once more, through the path that traffic takes."""

    version: int


@dataclass(frozen=True, slots=True)
class NameChampion:
    """Move the registry's alias `champion` to a version."""

    version: int


@dataclass(frozen=True, slots=True)
class UnnameChallenger:
    """Remove the alias `challenger`, so that setting it again starts another rollout."""


@dataclass(frozen=True, slots=True)
class Transition:
    """Bring the rollout into another state or stage, and record why."""

    state: State
    stage: int
    reason: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    """What the reason rests on, by name."""
    paused: bool = False
    swapped: bool | None = None
    """Whether the champion ends before the challenger loads; None leaves it as it is."""


@dataclass(frozen=True, slots=True)
class BeginRollout:
    """Start a rollout of a version, because it has the alias `challenger`."""

    version: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing in this round."""

    reason: str
    settled: bool = False
    """Whether nothing is under way, so that the next round may come later."""


Decision = (
    StartApplication
    | PublishTable
    | RetireApplication
    | CheckVersion
    | NameChampion
    | UnnameChallenger
    | Transition
    | BeginRollout
    | Wait
)


def bring_up(observed: ObservedState, version: int) -> Decision | None:
    """Return the next step, or the wait, until a version runs; None if it runs."""
    state = observed.apps.get(version)
    if state is None:
        return StartApplication(version)
    if state is AppState.FAILED:
        is_due = observed.since_failed_s >= RETRY_AFTER_S
        wait = Wait(f"version {version} does not load; it is tried again {RETRY_AFTER_S:g} s after it failed")
        return RetireApplication(version) if is_due else wait
    return None if state is AppState.RUNNING else Wait(f"version {version} is {state.value}")


def table_change(
    observed: ObservedState, shares: tuple[Share, ...], rollout: str | None = None, stage: int = 0, *, without: int = 0
) -> PublishTable | None:
    """Return the table that gives these shares, None if the one in force does.

    Loaded versions of the fixed split are in it without a share, except the version `without`. The table holds the
    whole fixed split, also values whose version is not loaded: for those a gateway draws a version by the shares.
    """
    in_rollout = {share.version for share in shares}
    loaded = {v for v, state in observed.apps.items() if state in (AppState.RUNNING, AppState.DOWN)} - {without}
    split_only = sorted((set(observed.split.values()) & loaded) - in_rollout)
    all_shares = (*shares, *(Share(version, 0.0) for version in split_only))
    same_shares = (observed.shares, observed.rollout, observed.stage) == (all_shares, rollout, stage)
    same_split = observed.table_split == observed.split
    return None if same_shares and same_split else PublishTable(all_shares, rollout, stage, observed.split)
