"""Insight as the HTTP routes call it: the index's answers, with texts from the store and the marks of rollouts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sentiment.errors import NotFound
from sentiment.records import TextRecord
from sentiment.store import TextStore
from serve_app.insight.search import Question, Search

#: Returns the marks between two times (ms since 1970): moments at which what is measured changed.
ReadMarks = Callable[[int, int], list[dict[str, Any]]]


class Asks(Protocol):
    """Asks the process that owns the index."""

    async def answer(self, question: Question, search: Search) -> dict[str, Any]:
        """Return what `InsightService.answer` does."""


@dataclass(frozen=True)
class Insights:
    """What many texts say together; `index` is None where no index is kept."""

    index: Asks | None
    store: TextStore
    marks: ReadMarks

    async def timeline(self, search: Search) -> dict[str, Any]:
        """Return a search over time, with marks."""
        return await self._marked(await self._ask(Question.TIMELINE, search))

    async def compare(self, search: Search) -> dict[str, Any]:
        """Return several searches over one span, with marks."""
        compared = await self._ask(Question.COMPARE, search)
        return {**compared, "series": [await self._marked(timeline) for timeline in compared["series"]]}

    async def related(self, search: Search) -> dict[str, Any]:
        """Return words and topics that go with a search."""
        return await self._ask(Question.RELATED, search)

    async def complete(self, search: Search) -> dict[str, Any]:
        """Return words and topics that begin so."""
        return await self._ask(Question.COMPLETE, search)

    async def top(self, search: Search) -> tuple[dict[str, Any], list[TextRecord]]:
        """Return the answer without its texts, and a page of these; one that was deleted just now is left out."""
        answer = dict(await self._ask(Question.TOP, search))
        ids = answer.pop("ids")
        found = await asyncio.to_thread(self.store.get_many, ids)
        return answer, [found[text_id] for text_id in ids if text_id in found]

    async def why(self, search: Search) -> tuple[dict[str, Any], dict[str, TextRecord]]:
        """Return why a search's tone moved between two spans, and the texts that its drivers name, by id."""
        answer = await self._ask(Question.WHY, search)
        ids = [text_id for driver in answer["drivers"] for text_id in driver["ids"]]
        return answer, dict(await asyncio.to_thread(self.store.get_many, ids)) if ids else {}

    async def _ask(self, question: Question, search: Search) -> dict[str, Any]:
        if self.index is None:
            raise NotFound("no insight index is kept here: UNDERTONE_INSIGHT is switched off")
        return await self.index.answer(question, search)

    async def _marked(self, timeline: dict[str, Any]) -> dict[str, Any]:
        marks = await asyncio.to_thread(self.marks, timeline["from_ms"], timeline["to_ms"])
        return {**timeline, "marks": marks}
