"""A platform in memory, as ingests see one: keeps texts by id, refuses, fails and waits as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from sentiment.errors import Unavailable
from sentiment.sources import Arrival, Position, SourceRecord, SourceText


@dataclass
class FakeDelivery:
    """`refused` are texts that are not kept; after `fails_after` calls it is away. `calls` has the sizes of batches."""

    refused: frozenset[str] = frozenset()
    fails_after: int | None = None
    kept: dict[str, SourceText] = field(default_factory=dict)
    calls: list[int] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    most_under_way: int = 0
    _under_way: int = 0

    async def send(self, texts: Sequence[SourceText]) -> list[str | None]:
        """Return for each text why it was refused, None where it was kept."""
        self._under_way += 1
        self.most_under_way = max(self.most_under_way, self._under_way)
        await asyncio.sleep(0)
        self._under_way -= 1
        if self.fails_after is not None and len(self.calls) >= self.fails_after:
            raise Unavailable("nothing answers")
        self.calls.append(len(texts))
        return [self._keep(text) for text in texts]

    async def delete(self, ids: Sequence[str]) -> None:
        """Forget texts."""
        await asyncio.sleep(0)
        self.deleted += ids
        for id_ in ids:
            self.kept.pop(id_, None)

    def _keep(self, text: SourceText) -> str | None:
        if text.text in self.refused:
            return "is refused"
        if self.kept.setdefault(text.id, text).text != text.text:
            return "already names another text"
        return None


@dataclass
class ListSource:
    """Records in a list; `breaks_at` raises in the place of one."""

    records: Sequence[SourceRecord]
    breaks_at: int | None = None
    was_read: int = 0

    @property
    def expected(self) -> int:
        """How many there are."""
        return len(self.records)

    async def arrivals(self, position: Position | None) -> AsyncGenerator[Arrival]:
        """Yield the records behind `position`."""
        for number, record in enumerate(
            self.records[position["n"] if position else 0 :], (position or {"n": 0})["n"] + 1
        ):
            if self.breaks_at == number:
                raise Unavailable("the source is away")
            self.was_read += 1
            yield Arrival(record, number, {"n": number})
