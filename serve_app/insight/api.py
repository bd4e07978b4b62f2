"""Insight as the HTTP routes call it: the index's answers, and the texts of those that are lists of ids."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol

from sentiment.errors import NotFound
from sentiment.insight.values import IdPage
from sentiment.records import TextRecord
from sentiment.store import TextStore
from serve_app.insight.search import InsightAnswer, Question, Search


class IndexQueries(Protocol):
    """Asks the process that owns the index."""

    async def answer(self, question: Question, search: Search) -> InsightAnswer:
        """Return what `InsightService.answer` does."""

    async def top(self, search: Search) -> IdPage:
        """Return what `InsightService.top` does."""

    async def why(self, search: Search) -> dict[str, Any]:
        """Return what `InsightService.why` does."""


@dataclass(frozen=True)
class Insights:
    """What many texts say together; `index` is None where no index is kept."""

    index: IndexQueries | None
    store: TextStore

    async def answer(self, question: Question, search: Search) -> InsightAnswer:
        """Return the answer to a question. Raises NotFound where no index is kept."""
        return await self._require_index().answer(question, search)

    async def top(self, search: Search) -> tuple[IdPage, list[TextRecord]]:
        """Return a page and its texts; one that was deleted just now is left out. Raises NotFound as `answer`."""
        page = await self._require_index().top(search)
        records = await asyncio.to_thread(self.store.get_many, page.ids)
        return page, [records[text_id] for text_id in page.ids if text_id in records]

    async def why(self, search: Search) -> tuple[dict[str, Any], dict[str, TextRecord]]:
        """Return why a search's tone moved between two spans, and the texts that its drivers name, by id."""
        answer = await self._require_index().why(search)
        ids = [text_id for driver in answer["drivers"] for text_id in driver["ids"]]
        return answer, dict(await asyncio.to_thread(self.store.get_many, ids)) if ids else {}

    def _require_index(self) -> IndexQueries:
        if self.index is None:
            raise NotFound("this platform has no insight index: start it with UNDERTONE_INSIGHT=1")
        return self.index
