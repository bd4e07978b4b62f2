"""Operations for tests of the journal and the sink, and a store that refuses some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sentiment.errors import InvalidInput
from sentiment.records import Operation, Outcome, PutText, TextRecord
from sentiment.store.memory import MemoryStore
from sentiment.store.state import id_of

NOW_MS = 1_800_000_000_000


def put(id_: str, text: str = "good", *, claimed: bool = False, received_at_ms: int = NOW_MS, **fields: Any) -> PutText:
    record = TextRecord(
        id=id_,
        text=text,
        text_key=f"key of {text}",
        near_key=f"near {text}",
        created_at_ms=received_at_ms,
        received_at_ms=received_at_ms,
        **fields,
    )
    return PutText(record, claimed)


def labelled(id_: str, text: str = "good") -> PutText:
    return put(
        id_,
        text,
        label="positive",
        score=0.9,
        sentiment=0.85,
        probabilities={"negative": 0.05, "neutral": 0.05, "positive": 0.9},
        model="sentiment",
        model_version=1,
        labelled_at_ms=NOW_MS,
        labelled_by="model",
        topics=("tea", "milk"),
    )


class PickyStore(MemoryStore):
    """Holds no text with an id that starts with "bad"; `broken` makes it fail in an unforeseen way."""

    broken = False

    def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        if self.broken:
            raise RuntimeError("not foreseen")
        if any(id_of(operation).startswith("bad") for operation in operations):
            raise InvalidInput("not a value that a database can hold", "text")
        return super().apply(operations)
