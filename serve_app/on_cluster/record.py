"""The record in home of what a platform has deployed to a cluster: written before, removed when it is gone."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError


class ClusterRecord(BaseModel):
    """One platform's application on a cluster."""

    model_config = ConfigDict(frozen=True)

    address: str
    """The cluster's address."""
    instance: str
    """Id of this start of the platform."""
    earlier: str = ""
    """Id of an earlier start that was killed, whose application runs until this one replaces it."""
    apis: tuple[str, ...] = ()
    """Addresses at which the API may answer, the best first."""
    started_serve: bool = False
    """Whether Serve was started for this platform, and is to be ended with it."""

    @property
    def instances(self) -> set[str]:
        """Ids of the starts whose application this home has to remove."""
        return {self.instance, self.earlier} - {""}

    def write(self, path: Path) -> None:
        """Replace the file atomically."""
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(self.model_dump_json(indent=1), encoding="utf-8")
        draft.replace(path)


def read_record(path: Path) -> ClusterRecord | None:
    """Return the record; None if there is none, or none that this code can read."""
    try:
        return ClusterRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
