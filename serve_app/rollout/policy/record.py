"""The rollout's record: what was asked for, how far it is, and every decision with its reason and numbers.

One document of the text store holds the rollout of a registered model that is under way, or the last one. Every write
compares generations, so that a controller that was believed dead overwrites nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from functools import reduce
from operator import add
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field

from sentiment.identifiers import new_id
from sentiment.settings import Settings
from serve_app.rollout.policy.plan import Limits, Step, steps_of
from serve_app.routing.observations import Observations
from serve_app.routing.traffic_table import Sticky

KIND: Final = "rollout"
HISTORY_KIND: Final = "rollout-history"
#: Most decisions of a record; beyond that the oldest are dropped, except for the first.
_MAX_DECISIONS: Final = 200
#: The name under which a stage keeps the summed counts of gateways that have ended.
GONE: Final = "gone"
_MAX_GONE: Final = 1000


class State(StrEnum):
    """State of a rollout; docs/rollout.md describes each."""

    WAITING = "waiting"  # for resources
    LOADING = "loading"
    CHECKING = "checking"
    SHADOW = "shadow"
    CANARY = "canary"
    FULL = "full"  # all the traffic; the alias is about to move
    DRAINING = "draining"  # the previous champion is still loaded
    ABORTING = "aborting"
    DONE = "done"
    ABORTED = "aborted"


ENDED: Final = frozenset({State.DONE, State.ABORTED})
#: States in which the challenger gets no texts yet.
BEFORE_TRAFFIC: Final = frozenset({State.WAITING, State.LOADING, State.CHECKING})


class Command(StrEnum):
    """A command that a person may give a rollout under way."""

    PAUSE = "pause"
    RESUME = "resume"
    PROMOTE = "promote"
    ABORT = "abort"


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # a later release may know more


class StartRequest(BaseModel):
    """The parameters of `start`; what is left out comes from the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(ge=1)
    plan: str | None = None
    hold_s: float | None = Field(None, ge=0, le=7 * 86_400, allow_inf_nan=False)
    auto: bool = False
    sticky: Sticky = "none"
    in_place: bool = False


class Entry(_Data):
    """One decision: when, the state and stage that it led to, why, and the numbers that it rests on."""

    at_ms: int
    state: State
    stage: int
    reason: str
    numbers: dict[str, float] = Field(default_factory=dict)


class Rollout(_Data):
    """A challenger on its way to take the champion's place."""

    id: str
    model: str
    champion: int
    challenger: int
    plan: tuple[Step, ...]
    hold_s: float
    auto: bool
    sticky: Sticky
    in_place: bool
    limits: Limits
    started_ms: int
    since_ms: int
    """When the present state and stage began, or the last pause ended."""
    state: State = State.WAITING
    stage: int = 0
    """Number of the plan's step, from 1; 0 before the first."""
    paused: bool = False
    swapped: bool = False
    """Whether the champion had to end before the challenger could load."""
    asked: Command | None = None
    """A command that was given and is not carried out yet."""
    waits: str | None = None
    """Why no step is taken, as the controller saw it last."""
    naming_ms: int | None = None
    """When the registry was last asked to move the alias `champion` to the challenger; None once it has."""
    counts: dict[int, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    """Cumulative counts (JSON of `Observations`) by stage and gateway; ended gateways and earlier stages are summed."""
    gone: tuple[str, ...] = ()
    """Names of the gateways that have ended and whose counts are in that sum."""
    decisions: tuple[Entry, ...] = ()

    @classmethod
    def begin(cls, request: StartRequest, settings: Settings, champion: int, now_ms: int, reason: str) -> Self:
        """Return the record of a rollout that is about to start; what the request leaves out comes from the settings.

        Raises:
            InvalidInput: the plan is malformed.
        """
        steps = steps_of(settings.rollouts_plan if request.plan is None else request.plan)
        hold_s = settings.rollouts_hold_s if request.hold_s is None else request.hold_s
        start = Entry(at_ms=now_ms, state=State.WAITING, stage=0, reason=reason)
        return cls(
            id=new_id(now_ms),
            model=settings.model_name,
            champion=champion,
            challenger=request.version,
            plan=steps,
            hold_s=hold_s,
            auto=request.auto,
            sticky=request.sticky,
            in_place=request.in_place,
            limits=Limits.of(settings),
            started_ms=now_ms,
            since_ms=now_ms,
            decisions=(start,),
        )

    @classmethod
    def takeover(cls, settings: Settings, champion: int, successor: int, now_ms: int) -> Self:
        """Return the record of a takeover that has happened in one step: the alias `champion` was moved by hand."""
        reason = f"the alias champion was moved to version {successor} by hand"
        request = StartRequest(version=successor, plan="100", hold_s=0.0)
        started = cls.begin(request, settings, champion, now_ms, reason)
        return started.with_decision(Entry(at_ms=now_ms, state=State.DONE, stage=1, reason=reason))

    @property
    def step(self) -> Step | None:
        """The plan's step that is under way; None before the first."""
        return self.plan[self.stage - 1] if self.stage else None

    @property
    def ended(self) -> bool:
        """Whether the rollout is done or aborted."""
        return self.state in ENDED

    @property
    def observations(self) -> Observations:
        """The counts of all gateways in all stages."""
        return reduce(add, (self.observations_in(stage) for stage in self.counts), Observations())

    def observations_in(self, stage: int) -> Observations:
        """Return the counts of all gateways in one stage."""
        return _sum(self.counts.get(stage, {}).values())

    def with_counts(self, stage: int, gateway: str, counts: Mapping[str, Any]) -> Self:
        """Return the record with a gateway's cumulative counts of a stage, which replace its earlier ones.

        A gateway that was believed to have ended is ignored until the next stage, or it would be counted twice.
        """
        if gateway in self.gone:
            return self
        stages = {**self.counts, stage: {**self.counts.get(stage, {}), gateway: dict(counts)}}
        return self.model_copy(update={"counts": stages})

    def without_gateways(self, gateways: Collection[str]) -> Self:
        """Return the record with these gateways' counts of the present stage moved into the sum of ended gateways."""
        if not gateways:
            return self
        counts = {**self.counts, self.stage: _folded(self.counts.get(self.stage, {}), gateways)}
        return self.model_copy(update={"counts": counts, "gone": (*self.gone, *sorted(gateways))[-_MAX_GONE:]})

    def with_decision(self, entry: Entry, **changes: Any) -> Self:
        """Return the record after a decision: `since_ms` starts anew, and the command is carried out."""
        decisions = (*self.decisions, entry)
        if len(decisions) > _MAX_DECISIONS:
            decisions = (decisions[0], *decisions[2:])
        updates = {"state": entry.state, "stage": entry.stage, "since_ms": entry.at_ms, "asked": None, "waits": None}
        if entry.state is State.DRAINING:
            updates["naming_ms"] = None
        if entry.stage != self.stage:  # nothing more is counted of earlier stages
            summed = {stage: _folded(by_gateway, by_gateway) for stage, by_gateway in self.counts.items()}
            updates |= {"counts": summed, "gone": ()}
        return self.model_copy(update={**updates, "decisions": decisions, **changes})

    def to_body(self) -> dict[str, Any]:
        """Return the record as the store's JSON."""
        return self.model_dump(mode="json")

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Self:
        """Read the record back."""
        return cls.model_validate(body)


def _sum(counts: Iterable[Mapping[str, Any]]) -> Observations:
    return reduce(add, map(Observations.from_json, counts), Observations())


def _folded(by_gateway: Mapping[str, dict[str, Any]], gateways: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return counts by gateway, with those of the gateways given summed under GONE."""
    rest = {name: counts for name, counts in by_gateway.items() if name not in gateways and name != GONE}
    summed = _sum(counts for name, counts in by_gateway.items() if name not in rest)
    return {**rest, GONE: summed.to_json()}
