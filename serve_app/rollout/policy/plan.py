"""A rollout's plan (`shadow,1,10,50,100`) and its limits."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final, Self

from pydantic import BaseModel, ConfigDict

from sentiment.errors import InvalidInput
from sentiment.settings import Settings

SHADOW: Final = "shadow"
_FORM: Final = "write growing shares in percent that end with 100, optionally after `shadow`, like shadow,1,10,50,100"
_MAX_STEPS: Final = 20
_PERCENT: Final = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)%?")


class Step(BaseModel):
    """One step: in shadow (`share` is 0), or with a share of the traffic, 0 to 1."""

    model_config = ConfigDict(frozen=True)

    share: float

    @property
    def is_shadow(self) -> bool:
        """Whether the challenger gets only mirrored texts."""
        return self.share == 0.0

    @property
    def is_full(self) -> bool:
        """Whether the challenger gets all the traffic."""
        return self.share == 1.0

    def __str__(self) -> str:
        return SHADOW if self.is_shadow else f"{100 * self.share:g}"


def steps_of(plan: str) -> tuple[Step, ...]:
    """Read a plan.

    Raises:
        InvalidInput: it is malformed (field `plan`); the message names what is wrong.
    """
    names = [name.strip() for name in plan.split(",")]
    shares = [_share(name, plan) for name in names]
    if len(shares) > _MAX_STEPS:
        raise InvalidInput(f"plan: has {len(shares)} steps, at most {_MAX_STEPS} are allowed; {_FORM}", "plan")
    if any(later <= earlier for earlier, later in pairwise(shares)):
        raise InvalidInput(f"plan: the shares in {plan!r} do not grow; {_FORM}", "plan")
    if shares[-1] != 1.0:
        raise InvalidInput(f"plan: {plan!r} does not end with 100; {_FORM}", "plan")
    return tuple(Step(share=share) for share in shares)


def _share(name: str, plan: str) -> float:
    if name == SHADOW:
        return 0.0
    if not name:
        problem = f"{plan[:80]!r} has an empty step" if plan.strip() else "is empty"
        raise InvalidInput(f"plan: {problem}; {_FORM}", "plan")
    match = _PERCENT.fullmatch(name)
    if match is None or not 0 < float(match[1]) <= 100:
        raise InvalidInput(f"plan: {name!r} in {plan[:80]!r} is not a share above 0 and up to 100; {_FORM}", "plan")
    return float(match[1]) / 100


class Limits(BaseModel):
    """Limits of a rollout; docs/settings.md describes each as UNDERTONE_ROLLOUTS_ and its name. Shares are 0 to 1."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    shadow_share: float
    load_s: float
    follow_s: float = Settings.model_fields["rollouts_follow_s"].default  # records of older releases lack it
    drain_s: float
    max_disagreement: float
    max_flips: float
    max_errors: float
    max_latency_ratio: float
    margin: float
    max_labels: int
    evidence_s: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what the settings say."""
        return cls(**{name: getattr(settings, f"rollouts_{name}") for name in cls.model_fields})
