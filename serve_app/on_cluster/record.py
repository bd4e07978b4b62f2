"""What a platform has deployed to a cluster, kept in home from before that is done until it is gone."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError


class ClusterRecord(BaseModel):
    """One platform's application on a cluster.

    `address` is the cluster's, `instance` tells this platform's start from all others, `earlier` is that of a start
    before it that was killed and whose application stands until this one's takes its place. `apis` are the addresses at
    which the API may answer, the best first, and `started_serve` says whether Serve did not run there before.
    """

    model_config = ConfigDict(frozen=True)

    address: str
    instance: str
    earlier: str = ""
    apis: tuple[str, ...] = ()
    started_serve: bool = False

    @property
    def instances(self) -> set[str]:
        """The starts whose application this home answers for."""
        return {self.instance, self.earlier} - {""}

    def write(self, path: Path) -> None:
        """Replace the file at one stroke."""
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(self.model_dump_json(indent=1), encoding="utf-8")
        draft.replace(path)


def read_record(path: Path) -> ClusterRecord | None:
    """Return what is deployed to a cluster; None if nothing is, or nothing that this code understands."""
    try:
        return ClusterRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
