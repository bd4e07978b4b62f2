"""What the controller sees, the steps that it may take, and the two that every state shares. Pure: no clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from serve_app.rollout.policy.record import State
from serve_app.rollout.policy.shares import Share, leader_of

#: How long a version that does not load is left alone before it is tried again.
RETRY_AFTER_S: Final = 60.0
#: The same for a version of the fixed split, which nobody waits for: doubled with each failure, up to this.
_LONGEST_RETRY_S: Final = 3600.0


class AppState(StrEnum):
    """How the application of a version is."""

    LOADING = "loading"
    RUNNING = "running"
    DOWN = "down"  # it ran, and has no replica now
    FAILED = "failed"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Failing:
    """A version of the fixed split that does not load: how often it was tried, and how long ago it failed last."""

    tries: int
    since_s: float

    @property
    def again_after_s(self) -> float:
        """How long after a failure it is tried again."""
        return min(RETRY_AFTER_S * 2.0 ** min(self.tries - 1, 10), _LONGEST_RETRY_S)


@dataclass(frozen=True, slots=True)
class Observed:
    """What the controller sees.

    `champion` and `challenger` bear the registry's aliases, `shares` are those of the traffic table in force, `rollout`
    is the one that it was made for. `split` is the fixed split that is asked for, `table_split` the table's, `failing`
    are its versions that do not load. `messages` are what Serve says of applications. `behind` says how many of the
    gateways that answer have not put the table in force, None where all have; `followers` is how many have. Ages count
    from the last change: of the table, of the failing of the wanted version, of the challenger's last sign of health,
    of the last gateway that was behind, and, while one is, of when none was. `asked_ms` and `busy` are the registry
    view's: since when the aliases are surely as said here, and which one is being moved. `lacking` says what room is
    missing for versions that are to be started while others serve. `refused` are versions that bear an alias and may
    not, with the reason.
    """

    champion: int | None
    shares: tuple[Share, ...]
    apps: Mapping[int, AppState]
    since_published_s: float
    since_failed_s: float
    challenger: int | None = None
    rollout: str | None = None
    stage: int = 0
    challenger_down_s: float = 0.0
    behind: str | None = None
    followers: int = 0
    since_followed_s: float = math.inf
    since_all_followed_s: float = 0.0
    messages: Mapping[int, str] = field(default_factory=dict)
    no_room: str | None = None
    split: Mapping[str, int] = field(default_factory=dict)
    table_split: Mapping[str, int] = field(default_factory=dict)
    failing: Mapping[int, Failing] = field(default_factory=dict)
    asked_ms: int | None = None
    busy: str | None = None
    lacking: Mapping[int, str] = field(default_factory=dict)
    refused: Mapping[int, str] = field(default_factory=dict)

    @property
    def serving(self) -> int | None:
        """The version that has most of the traffic."""
        return leader_of(self.shares)

    def why_down(self, version: int) -> str:
        """Return what Serve says of a version's application that does not load."""
        return self.messages.get(version) or "Serve gives no reason"


@dataclass(frozen=True, slots=True)
class StartApplication:
    """Start the application of a version."""

    version: int


@dataclass(frozen=True, slots=True)
class Publish:
    """Give versions these shares of the traffic; `rollout` says that a rollout asks for it, whose stage is `stage`."""

    shares: tuple[Share, ...]
    rollout: str | None = None
    stage: int = 0
    split: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retire:
    """End the application of a version."""

    version: int


@dataclass(frozen=True, slots=True)
class Check:
    """Let a loaded version answer its known texts once more, over the way that traffic takes."""

    version: int


@dataclass(frozen=True, slots=True)
class NameChampion:
    """Move the registry's alias `champion` to a version."""

    version: int


@dataclass(frozen=True, slots=True)
class UnnameChallenger:
    """Take the alias `challenger` away, so that giving it again means something."""


@dataclass(frozen=True, slots=True)
class Move:
    """Bring the rollout into another state or step, for a reason that rests on numbers; it is written down."""

    state: State
    stage: int
    reason: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    paused: bool = False
    swapped: bool | None = None


@dataclass(frozen=True, slots=True)
class Begin:
    """Start a rollout of a version, because it bears the alias `challenger`."""

    version: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing, for a reason. `settled` says that nothing is under way either."""

    reason: str
    settled: bool = False


Decision = StartApplication | Publish | Retire | Check | NameChampion | UnnameChallenger | Move | Begin | Wait


def bring_up(observed: Observed, wanted: int) -> Decision | None:
    """Return what is left to do or to wait for until a version runs, None if it does."""
    state = observed.apps.get(wanted)
    if state is None:
        return StartApplication(wanted)
    if state is AppState.FAILED:
        again = observed.since_failed_s >= RETRY_AFTER_S
        return Retire(wanted) if again else Wait(f"version {wanted} does not load; it is tried again soon")
    return None if state is AppState.RUNNING else Wait(f"version {wanted} is {state.value}")


def directed(
    observed: Observed, shares: tuple[Share, ...], rollout: str | None = None, stage: int = 0, *, without: int = 0
) -> Publish | None:
    """Return the table that gives these shares, None if it is in force.

    Versions of the fixed split that run are in it too, without a share, except the version `without`. The split itself
    is whole from the start: a gateway knows all its values, and leaves those whose version is not there to the shares.
    """
    named = {share.version for share in shares}
    up = {v for v, state in observed.apps.items() if state in (AppState.RUNNING, AppState.DOWN)} - {without}
    beside = sorted((set(observed.split.values()) & up) - named)
    wanted = (*shares, *(Share(version, 0.0) for version in beside))
    is_so = (observed.shares, observed.rollout, observed.stage) == (wanted, rollout, stage)
    is_split = observed.table_split == observed.split
    return None if is_so and is_split else Publish(wanted, rollout, stage, observed.split)
