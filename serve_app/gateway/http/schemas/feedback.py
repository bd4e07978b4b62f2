"""What clients send and get about feedback: a part of the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from serve_app.gateway.http.schemas.names import Source
from serve_app.gateway.http.schemas.texts import Identifier, ItemErrorOut, Label, WordOut


class FeedbackIn(BaseModel):
    """What somebody says that a stored text's label truly is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Identifier = Field(description="the text's id")
    label: Label
    source: Source = Field(description="who says so; its last word about a text counts", examples=["support team"])


def _batch_schema(schema: dict[str, Any]) -> None:
    """Describe a batch's items; the model itself lets bad ones through, to be answered in their place."""
    item = FeedbackIn.model_json_schema()
    schema["properties"] = {"items": {"type": "array", "minItems": 1, "maxItems": 1000, "items": item}}


class FeedbackBatchIn(BaseModel):
    """Feedback on up to 1,000 texts. Each is checked on its own."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_batch_schema)

    items: list[Any]


class FeedbackOut(WordOut):
    """The feedback as it is kept."""

    id: str


class FeedbackBatchOut(BaseModel):
    """One answer or error an item, in order."""

    results: list[FeedbackOut | ItemErrorOut]
