"""How much of the machine one model version gets: settings locally, the controller's `user_config` on a cluster."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from sentiment.settings import Settings


class Capacity(BaseModel):
    """Resources of one version's classifier. With `max_replicas` it scales between `replicas` and that."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    replicas: int = Field(1, ge=1)
    max_replicas: int | None = Field(None, ge=1)
    cpus: float = Field(0, ge=0, description="CPUs that Ray sets aside for a replica; on a cluster: its threads")
    threads: int = Field(2, ge=1)
    gpus: float = Field(0, ge=0)
    batch_tokens: int = Field(256, ge=16)


def local_capacity(settings: Settings) -> Capacity:
    """Return the capacity that the settings of a local platform ask for."""
    return Capacity(
        replicas=settings.classifier_replicas,
        threads=settings.classifier_threads,
        gpus=settings.classifier_gpus,
        batch_tokens=settings.batch_tokens,
    )
