"""Routes over many texts at once: a search over time, beside others, what goes with it, its texts; completion."""

from __future__ import annotations

import zlib
from typing import Any, Final

from fastapi import APIRouter
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from serve_app.gateway.http.body import described_query, read_query
from serve_app.gateway.http.errors import ERRORS
from serve_app.gateway.http.guard import require
from serve_app.gateway.http.rendering import text_out
from serve_app.gateway.http.schemas.insights import (
    CompareOut,
    CompareQuery,
    CompleteOut,
    CompleteQuery,
    FacetsOut,
    FacetsQuery,
    RelatedOut,
    RelatedQuery,
    TimelineOut,
    TimelineQuery,
    TopOut,
    TopQuery,
    WhyOut,
    WhyQuery,
)
from serve_app.insight.api import Insights
from serve_app.insight.search import InsightAnswer, Question

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    **ERRORS,
    304: {"description": "nothing has changed since the answer whose ETag If-None-Match names"},
}


def insight_routes(insights: Insights) -> APIRouter:
    """Build the routes."""
    router = APIRouter(tags=["insights"], responses=_ANSWERS)

    @router.get("/v1/insights/timeline", response_model=TimelineOut, openapi_extra=described_query(TimelineQuery))
    async def timeline(request: Request) -> Response:
        """Count the texts that a search finds, and say how they feel, bucket by bucket."""
        require(request.scope, "read")
        return _tagged(request, await insights.answer(Question.TIMELINE, read_query(request, TimelineQuery).search()))

    @router.get("/v1/insights/compare", response_model=CompareOut, openapi_extra=described_query(CompareQuery))
    async def compare(request: Request) -> Response:
        """Set up to five searches beside each other, with the same buckets."""
        require(request.scope, "read")
        query = read_query(request, CompareQuery, repeated=frozenset({"q"}))
        return _tagged(request, await insights.answer(Question.COMPARE, query.search()))

    @router.get("/v1/insights/related", response_model=RelatedOut, openapi_extra=described_query(RelatedQuery))
    async def related(request: Request) -> Response:
        """Tell the words and topics that are more frequent where a search finds texts, and not by chance."""
        require(request.scope, "read")
        return _tagged(request, await insights.answer(Question.RELATED, read_query(request, RelatedQuery).search()))

    @router.get("/v1/insights/facets", response_model=FacetsOut, openapi_extra=described_query(FacetsQuery))
    async def facets(request: Request) -> Response:
        """Count the sources, languages, topics or authors of the texts that a search finds."""
        require(request.scope, "read")
        return _tagged(request, await insights.answer(Question.FACETS, read_query(request, FacetsQuery).search()))

    @router.get("/v1/insights/top", response_model=TopOut, openapi_extra=described_query(TopQuery))
    async def top(request: Request) -> Response:
        """List the texts that a search finds, a page at a time."""
        require(request.scope, "read")
        query = read_query(request, TopQuery)
        page, records = await insights.top(query.search())
        content = {"query": query.q, "texts": [text_out(record) for record in records], "next": page.next_cursor}
        return _tagged(request, InsightAnswer(page.commit, to_json(content | {"commit": page.commit})))

    @router.get("/v1/insights/why", response_model=WhyOut, openapi_extra=described_query(WhyQuery))
    async def why(request: Request) -> Response:
        """Split the change of a search's tone between two spans into its causes."""
        require(request.scope, "read")
        answer, records = await insights.why(read_query(request, WhyQuery).search())
        drivers = [
            {name: value for name, value in driver.items() if name != "ids"}
            | {"texts": [text_out(records[each]) for each in driver["ids"] if each in records]}
            for driver in answer["drivers"]
        ]
        return _tagged(request, InsightAnswer(answer["commit"], to_json({**answer, "drivers": drivers})))

    @router.get("/v1/insights/complete", response_model=CompleteOut, openapi_extra=described_query(CompleteQuery))
    async def complete(request: Request) -> Response:
        """Tell the words, after a # the topics, that begin as the last word of `q`."""
        require(request.scope, "read")
        return _tagged(request, await insights.answer(Question.COMPLETE, read_query(request, CompleteQuery).search()))

    return router


def _tagged(request: Request, answer: InsightAnswer) -> Response:
    """Return the answer under a tag of the index's commit and its content, or 304 where the caller has it."""
    tag = f'"{answer.commit}-{zlib.crc32(answer.body):08x}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in _tags(request.headers.get("if-none-match", "")):
        return Response(None, 304, headers)
    return Response(answer.body, 200, headers, "application/json")


def _tags(sent: str) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in sent.split(",")}
