"""Routes of the stored texts: insert without a label, label, read, list, delete."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from sentiment.errors import NotFound
from sentiment.identifiers import ID_PATTERN, ID_RULE
from sentiment.records import TextQuery
from serve_app.gateway.backend import Backend
from serve_app.gateway.http.arrival import Arrivals
from serve_app.gateway.http.body import described, described_query, json_response, read, read_query, within_limit
from serve_app.gateway.http.errors import ERRORS
from serve_app.gateway.http.guard import require
from serve_app.gateway.http.rendering import iso, text_out
from serve_app.gateway.http.schemas.names import ShortText, Source, Topic
from serve_app.gateway.http.schemas.texts import (
    Cursor,
    Label,
    LabelIn,
    LabelOut,
    Moment,
    PageOut,
    StoredOut,
    TextIn,
    TextOut,
)


class TextsQuery(BaseModel):
    """Filters of the list; what is left out does not filter."""

    model_config = ConfigDict(extra="forbid")

    label: Label | None = None
    source: Source | None = None
    topic: Topic | None = None
    author: ShortText | None = Field(None, description="the author's name as it was sent")
    model_version: Annotated[int, Field(ge=1, le=2**31)] | None = None
    created_from: Moment | None = Field(None, description="inclusive, ISO 8601 with a zone")
    created_to: Moment | None = Field(None, description="exclusive, ISO 8601 with a zone")
    search: ShortText | None = Field(None, description="words, all of which must occur")
    limit: int = Field(50, ge=1, le=500)
    after: Cursor | None = Field(None, description="`next` of the page before")

    def query(self, backend: Backend) -> TextQuery:
        """Return the store's filters."""
        return TextQuery(
            label=self.label,
            source=self.source,
            topic=self.topic.casefold() if self.topic else None,
            author_key=backend.author_key(self.author) if self.author else None,
            model_version=self.model_version,
            created_from_ms=_epoch_ms(self.created_from),
            created_to_ms=_epoch_ms(self.created_to),
            search=self.search,
        )


def text_routes(backend: Backend, *, max_characters: int) -> APIRouter:
    """Build the routes."""
    router = APIRouter(tags=["texts"], responses=ERRORS)
    arrivals = Arrivals(backend.secret)

    @router.post("/v1/texts", status_code=201, response_model=StoredOut, openapi_extra=described(TextIn))
    async def insert(request: Request) -> Response:
        """Store a text without a label."""
        require(request.scope, "predict")
        [raw] = arrivals.named(request, [within_limit((await read(request, TextIn)).raw(), max_characters)])
        return json_response({"id": await backend.insert(raw)}, 201)

    @router.get("/v1/texts", response_model=PageOut, openapi_extra=described_query(TextsQuery))
    async def page(request: Request) -> Response:
        """List stored texts, newest first, a page at a time."""
        require(request.scope, "read")
        query = read_query(request, TextsQuery)
        texts = await backend.page(query.query(backend), query.limit, query.after)
        return json_response({"texts": [text_out(record) for record in texts.records], "next": texts.next_cursor})

    @router.get("/v1/texts/{text_id}", response_model=TextOut)
    async def get(request: Request, text_id: str) -> Response:
        """Return one stored text."""
        require(request.scope, "read")
        return json_response(text_out(await backend.text(_valid_id(text_id))))

    @router.patch("/v1/texts/{text_id}/sentiment", response_model=LabelOut, openapi_extra=described(LabelIn))
    async def label(request: Request, text_id: str) -> Response:
        """Replace the label of a stored text."""
        require(request.scope, "predict")
        new_label = (await read(request, LabelIn)).label
        at_ms = await backend.label(_valid_id(text_id), new_label)
        return json_response({"id": text_id, "label": new_label, "labelled_at": iso(at_ms)})

    @router.delete("/v1/texts/{text_id}", status_code=204)
    async def delete(request: Request, text_id: str) -> Response:
        """Delete a text everywhere: journal, store and caches."""
        require(request.scope, "admin")
        await backend.delete(_valid_id(text_id))
        return Response(status_code=204)

    return router


def _valid_id(text_id: str) -> str:
    if not re.match(ID_PATTERN, text_id):
        raise NotFound(f"there is no text with that id: ids have {ID_RULE}")
    return text_id


def _epoch_ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
