"""The bodies of requests and answers about feedback; part of the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from serve_app.gateway.http.schemas.names import Source
from serve_app.gateway.http.schemas.texts import Identifier, ItemErrorOut, Label, WordOut


class FeedbackIn(BaseModel):
    """The true label of a stored text, according to one source."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Identifier = Field(description="the text's id")
    label: Label
    source: Source = Field(description="who says so; the last label of each source counts", examples=["support team"])


def _batch_schema(schema: dict[str, Any]) -> None:
    """Describe a batch's items. The model itself accepts bad ones, which get an error in their place."""
    item = FeedbackIn.model_json_schema()
    schema["properties"] = {"items": {"type": "array", "minItems": 1, "maxItems": 1000, "items": item}}


class FeedbackBatchIn(BaseModel):
    """Feedback on up to 1,000 texts. Each is checked on its own."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_batch_schema)

    items: list[Any]


class FeedbackOut(WordOut):
    """The feedback as it is stored."""

    id: str


class FeedbackBatchOut(BaseModel):
    """One answer or error an item, in order."""

    results: list[FeedbackOut | ItemErrorOut]
