"""What clients send and get about ingests: a part of the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from sentiment.errors import InvalidInput
from sentiment.ingest import IngestRequest
from sentiment.ingest.request import with_fields
from sentiment.sources import speed_of
from sentiment.tables import Quoting
from serve_app.gateway.http.schemas.names import PRINTABLE_PATTERN, ShortText
from serve_app.ingest.ledger import IngestPhase

INGEST_NAME_PATTERN: Final = r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,39}$"
_SPEED_PATTERN: Final = r"^(max|[0-9]{1,6}(\.[0-9]{1,3})?x)$"

IngestName = Annotated[str, StringConstraints(pattern=INGEST_NAME_PATTERN)]
_Query = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=PRINTABLE_PATTERN)]


def _whole(value: Any) -> Any:
    """Take 8.0 for 8, as JSON does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Language = Annotated[str, StringConstraints(pattern="^[a-z]{2,3}$")]
_Count = Annotated[int, Field(ge=1, le=2**53), BeforeValidator(_whole)]


def _checked_speed(speed: str) -> str:
    try:
        speed_of(speed)
    except InvalidInput as exc:
        raise InvalidInput(with_fields(str(exc)), exc.field) from None
    return speed


class IngestIn(BaseModel):
    """What to ingest and how: the options of `undertone ingest`, by their names."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: IngestName = Field(description="name of the ingest, and source of its texts", examples=["tweets"])
    kind: Literal["csv", "jsonl", "parquet", "bluesky", "gdelt", "gdelt-doc"]
    file: ShortText | None = Field(
        None, description="a file below UNDERTONE_INGEST_FILES, of csv, jsonl and parquet", examples=["tweets.csv"]
    )
    languages: list[_Language] | None = Field(
        None, max_length=50, description="bluesky: leave out posts that name none of these", examples=[["en"]]
    )
    text_column: ShortText = "text"
    time_column: ShortText | None = None
    time_format: ShortText | None = None
    time_zone: ShortText = "UTC"
    author_column: ShortText | None = None
    topic_column: ShortText | None = None
    id_column: ShortText | None = None
    label_column: ShortText | None = None
    labels: ShortText | None = None
    encoding: ShortText = "utf-8"
    delimiter: ShortText = "auto"
    quoting: Quoting = "auto"
    columns: list[ShortText] | None = Field(None, max_length=1000, description="names of a file without a header")
    limit: _Count | None = Field(None, description="records to read, all runs together")
    speed: Annotated[str, StringConstraints(pattern=_SPEED_PATTERN), AfterValidator(_checked_speed)] = Field(
        "max", description="`max`, or so many times the source's own", examples=["60x"]
    )
    query: _Query | None = Field(None, description="what gdelt-doc looks for")
    feed: Literal["english", "translated", "both"] | None = Field(None, description="what gdelt reads")
    events: bool | None = Field(None, description="whether gdelt adds the kinds of events in an article to its topics")
    from_time: ShortText | None = Field(None, description="first moment that gdelt and gdelt-doc read; inclusive")
    to_time: ShortText | None = Field(None, description="as `from_time`; exclusive")
    once: bool | None = Field(None, description="whether gdelt ends with the newest quarter-hour")
    restart: bool = Field(False, description="forget position and counts, and start from the beginning")

    def request(self) -> IngestRequest:
        """Return the ingest as it is carried out."""
        return IngestRequest.of(self.model_dump(exclude={"restart"}))


class IngestOut(BaseModel):
    """An ingest: how it is, and what it has counted over all its runs."""

    name: str
    kind: str
    by: Literal["platform", "command"] = Field(description="who runs it: the platform, or a command line")
    state: IngestPhase
    problem: str | None = Field(None, description="why it waits or failed")
    read: int
    kept: int
    folded: int
    repeated: int
    rejected: int
    deleted: int
    corrected: int
    without_text: int
    seconds: float
    gaps: dict[str, str] = Field(default_factory=dict, description="missing parts of the source, with the reason")
    expected: int | None = Field(None, description="how many records the source has; null if unknown")
    limit: int | None = None
    speed: str | None = None


class IngestsOut(BaseModel):
    """All ingests, by name."""

    ingests: list[IngestOut]
