"""A file beside the journal with operations that were promised and that the store refused, for a person to look at."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from sentiment.journal.folder import append_private, write_private
from sentiment.records import AddFeedback, DeleteText, Operation, PutText, SetLabel


@dataclass(frozen=True, slots=True)
class Refusal:
    """An operation and the reason why the store refused it."""

    operation: Operation
    reason: str


class RefusedFile:
    """JSON lines in `conflicts.jsonl` (mode 0600); after a crash a line may be there twice."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "conflicts.jsonl"
        self._lock = threading.Lock()

    def keep(self, refusals: Iterable[Refusal]) -> None:
        """Append operations and sync them to disk."""
        lines = [_line(refusal) for refusal in refusals]
        if lines:
            with self._lock:
                append_private(self._path, "".join(f"\n{line}" for line in lines).encode("ascii"))

    def forget(self, ids: set[str]) -> None:
        """Remove the entries of deleted texts."""
        self._keep_if(lambda entry: entry["id"] not in ids)

    def forget_expired(self, now_ms: int) -> None:
        """Remove the entries of expired texts."""
        self._keep_if(lambda entry: (entry.get("expires_at_ms") or now_ms + 1) > now_ms)

    def _keep_if(self, keep: Callable[[dict[str, Any]], bool]) -> None:
        with self._lock:
            lines = self._lines()
            remaining = [line for line in lines if (entry := _entry(line)) is not None and keep(entry)]
            if len(remaining) < len(lines):
                draft = self._path.with_suffix(".draft")
                write_private(draft, "".join(f"\n{line}" for line in remaining).encode("ascii"))
                draft.replace(self._path)

    def _lines(self) -> list[str]:
        content = self._path.read_text("ascii") if self._path.exists() else ""
        return [line for line in content.split("\n") if line]


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry: dict[str, Any] = json.loads(line)
    except ValueError:  # torn by a crash: the replay wrote it again
        return None
    return entry


def _line(refusal: Refusal) -> str:
    operation = refusal.operation
    if isinstance(operation, PutText):
        return json.dumps({"reason": refusal.reason, "operation": "put", **asdict(operation.record)}, sort_keys=True)
    kind = _KINDS[type(operation)]
    return json.dumps({"reason": refusal.reason, "operation": kind, **asdict(operation)}, sort_keys=True)


_KINDS: Final[Mapping[type[Operation], str]] = {SetLabel: "label", AddFeedback: "feedback", DeleteText: "delete"}
