"""The bodies of requests and answers about rollouts and the fixed split; part of the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from serve_app.gateway.http.schemas.names import PRINTABLE_PATTERN, ShortName
from serve_app.gateway.http.schemas.texts import Cursor, Label
from serve_app.rollout.policy.record import StartRequest


def _whole(value: Any) -> Any:
    """Return 8.0 as 8: in JSON they are the same number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Version = Annotated[int, Field(ge=1, le=2**31), BeforeValidator(_whole)]
Epoch = Annotated[int, Field(description="milliseconds since 1970")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class RolloutIn(_Strict):
    """The version to roll out, and how; what is left out comes from the settings."""

    version: Version
    plan: str | None = Field(
        None, max_length=256, description="steps in percent of the traffic", examples=["shadow,1,10,50,100"]
    )
    hold_s: float | None = Field(None, ge=0, le=7 * 86_400, allow_inf_nan=False, description="least time in a step")
    auto: bool = Field(False, description="go on by itself; otherwise each step waits for `promote`")
    sticky: Literal["none", "author", "key"] = Field("none", description="what keeps a client on one version")
    in_place: bool = Field(False, description="end the champion first where there is no room for two versions")

    def request(self) -> StartRequest:
        """Return the service's request."""
        return StartRequest(**self.model_dump())


_VERSIONS: dict[str, Any] = {
    "type": "object",
    "maxProperties": 16,
    "propertyNames": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": PRINTABLE_PATTERN},
    "additionalProperties": {"type": "integer", "minimum": 1, "maximum": 2**31},
    "examples": [{"a": 7, "b": 8}],
}


class SplitIn(_Strict):
    """A version for each value of the header X-Undertone-Split, or id of an API key; empty ends the split."""

    versions: Annotated[dict[ShortName, Version], Field(max_length=16), WithJsonSchema(_VERSIONS)]


class SplitOut(BaseModel):
    """The fixed split."""

    versions: dict[str, int]


class ShareOut(BaseModel):
    """What one version gets: the share of texts that it answers (`weight`), and that are mirrored to it (`shadow`)."""

    version: int
    weight: float
    shadow: float


class ArmOut(BaseModel):
    """The counts of one version in all steps so far."""

    version: int
    requests: int
    errors: int
    p50_ms: float | None
    p99_ms: float | None
    labels: dict[str, int]
    confidence: float | None


class DisagreementOut(BaseModel):
    """A stored text that the two versions label differently."""

    id: str
    text: str
    champion_label: Label
    champion_score: float
    challenger_label: Label
    challenger_score: float


class ComparedOut(BaseModel):
    """Texts that both versions answered in all steps so far."""

    compared: int
    disagreed: int
    neutral_flips: int
    mirror_dropped: int
    examples: list[DisagreementOut]


class DecisionOut(BaseModel):
    """A decision of the controller: the state that it led to, the reason, and the numbers that it rests on."""

    at_ms: Epoch
    state: str
    stage: int
    reason: str
    numbers: dict[str, float]


class MomentOut(BaseModel):
    """A time at which traffic moved; `share` is the challenger's from then on."""

    at_ms: Epoch
    state: str
    share: float


class RolloutOut(BaseModel):
    """A rollout: its state, the shares of the traffic, the counts, and each decision with its reason."""

    id: str
    model: str
    champion: int
    challenger: int
    state: str = Field(description="the phase, or `paused`")
    phase: str = Field(description="how far the rollout is, whether paused or not")
    reason: str
    plan: str
    step: str | None
    stage: int
    paused: bool
    asked: str | None = Field(description="a command that the controller has not carried out yet")
    waits: str | None = Field(description="why no step is taken now")
    hold_s: float
    auto: bool
    sticky: str
    in_place: bool
    started_ms: Epoch
    since_ms: Epoch
    ended_ms: Epoch | None
    in_step_s: float
    traffic: list[ShareOut]
    versions: list[ArmOut]
    compared: ComparedOut
    numbers: dict[str, float]
    limits: dict[str, float]
    decisions: list[DecisionOut]
    moments: list[MomentOut]


class CommandQuery(BaseModel):
    """The stage that a command is meant for."""

    model_config = ConfigDict(extra="forbid")

    stage: int | None = Field(
        None, ge=0, description="the stage that it is meant for; 409 once the rollout has left it"
    )


class RolloutsQuery(BaseModel):
    """The page of the list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100)
    after: Cursor | None = Field(None, description="`next` of the page before")


class RolloutsOut(BaseModel):
    """A page of the rollouts, the newest first; `next` is the `after` of the following one."""

    rollouts: list[RolloutOut]
    next: str | None
