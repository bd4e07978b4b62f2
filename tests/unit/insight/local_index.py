"""The process that owns the index, without a process: brought up to the store before each answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sentiment.insight.indexer import Indexer
from sentiment.insight.memory import MemoryIndex
from sentiment.insight.query.parser import parse_query
from sentiment.insight.values import IdPage
from sentiment.store.base import TextStore
from sentiment.text import keyed_digest
from serve_app.insight.search import InsightAnswer, Question, Search
from serve_app.insight.service import InsightService
from serve_app.rollout.marks import rollout_marks
from tests.unit.gateway.fake_parts import SECRET


class LocalIndex:
    """Answers as the Insight deployment does."""

    def __init__(self, store: TextStore, now_ms: Callable[[], int]) -> None:
        self.index = MemoryIndex()
        self.indexer = Indexer(store, lambda: self.index, now_ms)
        parse = partial(parse_query, author_key=partial(keyed_digest, SECRET))
        self.service = InsightService(self.indexer.index, parse, partial(rollout_marks, store, "sentiment"), now_ms)

    async def answer(self, question: Question, search: Search) -> InsightAnswer:
        self.indexer.tick()
        return self.service.answer(question, search)

    async def top(self, search: Search) -> IdPage:
        self.indexer.tick()
        return self.service.top(search)

    async def why(self, search: Search) -> dict[str, Any]:
        self.indexer.tick()
        return self.service.why(search)
