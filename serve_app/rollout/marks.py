"""The moments at which rollouts moved traffic, as a timeline marks them."""

from __future__ import annotations

from typing import Any, Final

from sentiment.clock import epoch_ms
from sentiment.store import TextStore
from serve_app.rollout.commands import history

_PAGE: Final = 100


def rollout_marks(store: TextStore, model: str, from_ms: int, to_ms: int) -> list[dict[str, Any]]:
    """Return the moments between two times (the later not included), the earliest first."""
    marks: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        records, after = history(store, model, epoch_ms(), _PAGE, after)
        marks += [mark for record in records for mark in _marks_of(record) if from_ms <= mark["at_ms"] < to_ms]
        if after is None or records[-1]["started_ms"] < from_ms:
            return sorted(marks, key=lambda mark: mark["at_ms"])


def _marks_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    versions = {"kind": "rollout", "from": record["champion"], "to": record["challenger"]}
    return [{**versions, **moment} for moment in record["moments"]]
