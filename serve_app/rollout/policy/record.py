"""The rollout's record: what was asked for, how far it is, and every decision with its reason and numbers.

One document of the text store holds the rollout of a registered model, the one under way or the last. Whoever writes it
compares generations, so that a controller that was killed, or one that was thought dead, undoes nothing.
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
#: Decisions that a record keeps: the newest, and the first.
_MAX_DECISIONS: Final = 200
#: Under this name a stage keeps the sum of what gateways that are gone had counted.
GONE: Final = "gone"
_MAX_GONE: Final = 1000


class State(StrEnum):
    """How far a rollout is."""

    WAITING = "waiting"  # for room
    LOADING = "loading"
    CHECKING = "checking"
    SHADOW = "shadow"
    CANARY = "canary"
    FULL = "full"  # all the traffic; the alias is about to move
    DRAINING = "draining"  # the champion of before is still loaded
    ABORTING = "aborting"
    DONE = "done"
    ABORTED = "aborted"


ENDED: Final = frozenset({State.DONE, State.ABORTED})
#: States before the challenger sees a text.
UNSEEN: Final = frozenset({State.WAITING, State.LOADING, State.CHECKING})


class Command(StrEnum):
    """What a person may ask of a rollout under way."""

    PAUSE = "pause"
    RESUME = "resume"
    PROMOTE = "promote"
    ABORT = "abort"


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # a later release may know more


class StartRequest(BaseModel):
    """What `start` is asked for; what is left out comes from the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(ge=1)
    plan: str | None = None
    hold_s: float | None = Field(None, ge=0, le=7 * 86_400, allow_inf_nan=False)
    auto: bool = False
    sticky: Sticky = "none"
    in_place: bool = False


class Entry(_Data):
    """One decision: the state that it led to, why, and the numbers that it rests on."""

    at_ms: int
    state: State
    stage: int
    reason: str
    numbers: dict[str, float] = Field(default_factory=dict)


class Rollout(_Data):
    """A challenger on its way to take the champion's place.

    `stage` numbers the steps of the plan from 1; before the first it is 0. `since_ms` is when the present state and
    stage began, or the pause ended. `counts` keeps, by stage, the last cumulative counts of each gateway; those of
    gateways that are gone (`gone` are their names), and of stages that are over, are one sum. `swapped` says that the
    champion had to end before the challenger could load. `waits` is why no step is taken, as the controller said last.
    `naming_ms` is when the registry was last asked to let `champion` name the challenger, None once it was seen to.
    """

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
    state: State = State.WAITING
    stage: int = 0
    paused: bool = False
    swapped: bool = False
    asked: Command | None = None
    waits: str | None = None
    naming_ms: int | None = None
    counts: dict[int, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    gone: tuple[str, ...] = ()
    decisions: tuple[Entry, ...] = ()

    @classmethod
    def begin(cls, request: StartRequest, settings: Settings, champion: int, now_ms: int, reason: str) -> Self:
        """Return the record of a rollout that is about to start; the settings say what the request leaves out.

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
    def outright(cls, settings: Settings, champion: int, named: int, now_ms: int) -> Self:
        """Return the record of a takeover in one step that has happened: the alias `champion` was moved by hand."""
        reason = f"the alias champion was moved to version {named} by hand"
        asked = cls.begin(StartRequest(version=named, plan="100", hold_s=0.0), settings, champion, now_ms, reason)
        return asked.decided(Entry(at_ms=now_ms, state=State.DONE, stage=1, reason=reason))

    @property
    def step(self) -> Step | None:
        """The step of the plan that is under way."""
        return self.plan[self.stage - 1] if self.stage else None

    @property
    def ended(self) -> bool:
        """Whether nothing is under way any more."""
        return self.state in ENDED

    @property
    def observations(self) -> Observations:
        """What all gateways saw in all stages."""
        return reduce(add, (self.seen_in(stage) for stage in self.counts), Observations())

    def seen_in(self, stage: int) -> Observations:
        """What all gateways saw in one stage."""
        return _sum(self.counts.get(stage, {}).values())

    def counted(self, stage: int, gateway: str, counts: Mapping[str, Any]) -> Self:
        """Return the record with a gateway's cumulative counts of a stage in place of its earlier ones.

        One that was taken for gone and is back is left out until the next stage: it would be counted twice.
        """
        if gateway in self.gone:
            return self
        stages = {**self.counts, stage: {**self.counts.get(stage, {}), gateway: dict(counts)}}
        return self.model_copy(update={"counts": stages})

    def without(self, gateways: Collection[str]) -> Self:
        """Return the record with the counts that these gateways have of this stage in the one sum of those gone."""
        if not gateways:
            return self
        counts = {**self.counts, self.stage: _folded(self.counts.get(self.stage, {}), gateways)}
        return self.model_copy(update={"counts": counts, "gone": (*self.gone, *sorted(gateways))[-_MAX_GONE:]})

    def decided(self, entry: Entry, **changes: Any) -> Self:
        """Return the record after a decision: its clock starts anew, and what was asked for is dealt with."""
        decisions = (*self.decisions, entry)
        if len(decisions) > _MAX_DECISIONS:
            decisions = (decisions[0], *decisions[2:])
        moved = {"state": entry.state, "stage": entry.stage, "since_ms": entry.at_ms, "asked": None, "waits": None}
        if entry.state is State.DRAINING:
            moved["naming_ms"] = None
        if entry.stage != self.stage:  # nothing more is counted of stages that are over
            moved |= {"counts": {n: _folded(told, told) for n, told in self.counts.items()}, "gone": ()}
        return self.model_copy(update={**moved, "decisions": decisions, **changes})

    def to_body(self) -> dict[str, Any]:
        """Return the record as the store's JSON."""
        return self.model_dump(mode="json")

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Self:
        """Read the record back."""
        return cls.model_validate(body)


def _sum(told: Iterable[Mapping[str, Any]]) -> Observations:
    return reduce(add, map(Observations.from_json, told), Observations())


def _folded(told: Mapping[str, dict[str, Any]], gateways: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return counts by gateway with those of some of them summed under GONE."""
    rest = {name: counts for name, counts in told.items() if name not in gateways and name != GONE}
    summed = _sum(counts for name, counts in told.items() if name not in rest)
    return {**rest, GONE: summed.to_json()}
