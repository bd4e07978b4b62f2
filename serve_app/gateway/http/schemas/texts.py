"""The bodies of requests and answers about texts; part of the OpenAPI document. Unknown fields are refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)

from sentiment.identifiers import ID_PATTERN
from sentiment.records import RawText
from serve_app.gateway.http.schemas.names import ShortText, Source, Topic

CURSOR_PATTERN: Final = r"^[A-Za-z0-9_=-]{1,512}$"

Identifier = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Cursor = Annotated[str, StringConstraints(pattern=CURSOR_PATTERN)]
Label = Literal["negative", "neutral", "positive"]
Language = Annotated[
    str | None, Field(description="code of ISO 639; null where it cannot be identified", examples=["en"])
]
Supported = Annotated[bool, Field(description="false where the model cannot read the text and answers by its prior")]


def _iso_only(value: Any) -> Any:
    """Refuse numbers, which pydantic would read as seconds since 1970."""
    if not (isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value)):
        raise ValueError("must be a text like 2026-01-31T12:00:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("must lie in the years 1 to 9999 in UTC") from exc


Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_iso_only), AfterValidator(_in_utc)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class TextIn(_Strict):
    """A text to classify or to store."""

    text: str = Field(min_length=1, description="the text itself", examples=["I love this product!"])
    id: Identifier | None = Field(None, description="names this text for ever; made by the server if left out")
    created_at: Moment | None = Field(None, description="when it was written (ISO 8601 with a zone); now if left out")
    source: Source | None = Field(None, description="where it comes from; stored masked", examples=["twitter"])
    author: ShortText | None = Field(None, description="who wrote it; stored only as a keyed hash")
    topics: list[Topic] = Field(default_factory=list, max_length=20, description="what it is about; stored masked")

    def raw(self) -> RawText:
        """Return the text as the gateway's parts pass it on."""
        created = None if self.created_at is None else int(self.created_at.timestamp() * 1000)
        return RawText(self.text, self.id, created, self.source, self.author, tuple(self.topics))


def _batch_schema(schema: dict[str, Any]) -> None:
    """Describe the two forms of a batch. The model itself accepts bad items, which get an error in their place."""
    shapes = {"texts": {"type": "string", "minLength": 1}, "items": TextIn.model_json_schema()}
    lists = {name: {"type": "array", "minItems": 1, "maxItems": 1000, "items": item} for name, item in shapes.items()}
    del schema["properties"], schema["type"]
    schema["oneOf"] = [
        {"type": "object", "properties": {name: rule}, "required": [name], "additionalProperties": False}
        for name, rule in lists.items()
    ]
    schema.pop("additionalProperties", None)
    schema["examples"] = [{"texts": ["Great!", "Awful."]}, {"items": [{"text": "Great!", "id": "a-1"}]}]


class BatchIn(_Strict):
    """Up to 1,000 texts: either plain ones in `texts`, or objects in `items`. Each is checked on its own."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_batch_schema)

    texts: list[Any] | None = None
    items: list[Any] | None = None


class ExplainIn(_Strict):
    """A text whose answer is to be explained."""

    text: str = Field(min_length=1, examples=["The food was great, but the service was awful."])


class LabelIn(_Strict):
    """The label that a stored text gets."""

    label: Label


_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_SEQUENCE: dict[str, Any] = {"type": "array", "minItems": 1, "maxItems": 2, "items": _TEXT}
_BATCH: dict[str, Any] = {"type": "array", "minItems": 1, "maxItems": 1000, "items": _SEQUENCE}
_TEI_INPUTS: dict[str, Any] = {"anyOf": [_TEXT, _SEQUENCE, _BATCH], "examples": ["I like you."]}


def _one_of_three(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """Replace pydantic's problems, one for each form of the union, by one."""
    try:
        return read(value)
    except ValidationError as exc:
        raise ValueError("must be a string, an array of one or two strings, or an array of such arrays") from exc


class TeiIn(BaseModel):
    """The request of Text Embeddings Inference's `/predict`."""

    model_config = ConfigDict(strict=True)

    inputs: Annotated[str | list[str] | list[list[str]], WrapValidator(_one_of_three), WithJsonSchema(_TEI_INPUTS)]
    raw_scores: bool = Field(False, description="return natural logarithms of the probabilities")
    truncate: bool = Field(False, description="cut texts that are too long for the model instead of refusing them")


class Model(BaseModel):
    """The model version that answered."""

    name: str
    version: int


class TimingMs(BaseModel):
    """The parts of the time, in milliseconds."""

    queue: float
    preprocess: float
    inference: float
    total: float


class PredictionOut(BaseModel):
    """An answer. `sentiment` is P(positive) − P(negative); `verdict` is (1 + sentiment)/2 in words."""

    id: str
    label: Label
    score: float
    sentiment: float
    verdict: str
    probabilities: dict[str, float]
    model: Model
    truncated: bool
    language: Language
    supported: Supported
    timing_ms: TimingMs


class ErrorBody(BaseModel):
    """An error: its code, the field that it is about, and a message with cause and remedy."""

    code: str
    message: str
    field: str | None = None


class ErrorOut(BaseModel):
    """The shape of every error."""

    error: ErrorBody
    request_id: str


class ItemErrorOut(BaseModel):
    """A bad item of a batch, in its place."""

    error: ErrorBody
    id: str | None = None


class BatchOut(BaseModel):
    """One answer or error per item, in order."""

    results: list[PredictionOut | ItemErrorOut]


class ExplanationOut(BaseModel):
    """`weights[i]` is how much the sentiment falls when `words[i]` is left out; 0 where the text is not `supported`."""

    words: list[str]
    weights: list[float]
    label: Label
    sentiment: float
    verdict: str
    probabilities: dict[str, float]
    truncated: bool
    language: Language
    supported: Supported
    model: Model


class WordOut(BaseModel):
    """The true label of a text, according to one source."""

    source: str
    label: Label
    at: datetime


class TextOut(BaseModel):
    """A stored text. `author` is a keyed hash."""

    id: str
    text: str
    created_at: datetime
    received_at: datetime
    source: str | None
    author: str | None
    topics: list[str]
    label: Label | None
    score: float | None
    sentiment: float | None
    verdict: str | None
    probabilities: dict[str, float] | None
    truncated: bool
    language: Language
    supported: Supported
    model: Model | None
    labelled_at: datetime | None
    labelled_by: Literal["model", "client"] | None
    feedback: list[WordOut]


class PageOut(BaseModel):
    """A page of texts, newest first; `next` is the `after` of the next page."""

    texts: list[TextOut]
    next: str | None


class StoredOut(BaseModel):
    """The id of a stored text."""

    id: str


class LabelOut(BaseModel):
    """The new label of a text."""

    id: str
    label: Label
    labelled_at: datetime


class ReadyOut(BaseModel):
    """Whether the service is ready, and the state of each part."""

    ready: bool
    parts: dict[str, str]


class ModelOut(BaseModel):
    """A registered model version, and its state on this platform."""

    name: str
    version: int
    aliases: list[str]
    state: Literal["serving", "loaded", "loading", "failed", "registered"]
    problem: str | None = Field(None, description="why it does not load or start, and when it is tried again")
    weight: float
    replicas: int = Field(0, description="how many of its replicas answer now")
    labels: list[str]
    metrics: dict[str, float] = Field(default_factory=dict, description="its metrics from training")


class ModelsOut(BaseModel):
    """All registered versions, oldest first."""

    models: list[ModelOut]


class TeiErrorOut(BaseModel):
    """The shape of Text Embeddings Inference's errors."""

    error: str
    error_type: str


class TeiScore(BaseModel):
    """A label and its score."""

    score: float
    label: str
