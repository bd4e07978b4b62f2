"""What a rollout goes by: its limits and times, read from the settings once, when it starts, and kept in its record."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict

from sentiment.settings import Settings


class Limits(BaseModel):
    """Shares are 0 to 1; docs/settings.md says what each one does, under UNDERTONE_ROLLOUTS_ and its name."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    shadow_share: float
    load_s: float
    follow_s: float = Settings.model_fields["rollouts_follow_s"].default  # older records have none
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
