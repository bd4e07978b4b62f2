"""What clients ask about many texts at once, and what they get: a part of the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from sentiment.insight.buckets import zone_of
from sentiment.insight.query.parser import MAX_CHARACTERS
from sentiment.insight.values import Bucket, FacetName, Order
from serve_app.gateway.http.schemas.texts import Cursor, TextOut
from serve_app.insight.search import Search, moment_ms, span_ms

MAX_SERIES: Final = 5

Searched = Annotated[
    str, Field(max_length=MAX_CHARACTERS, description="a search; empty: all texts", examples=["climate and not rain"])
]
Epoch = Annotated[int, Field(description="milliseconds since 1970")]
Mean = Annotated[float | None, Field(description="mean sentiment; null where no text has one")]
End = Annotated[float | None, Field(description="an end of the mean's 95 % interval")]


class _Within(BaseModel):
    """When the texts were written."""

    model_config = ConfigDict(extra="forbid")

    from_: str | None = Field(
        None, alias="from", max_length=64, description="date, time or ms since 1970; inclusive; default: first text"
    )
    to: str | None = Field(None, max_length=64, description="as `from`; exclusive; default: last text")
    tz: str = Field("UTC", max_length=64, description="IANA name: where days begin, and whose midnight a date means")

    def within(self) -> dict[str, Any]:
        """Return the times as a search has them. Raises InvalidInput."""
        zone = zone_of(self.tz)
        return {
            "from_ms": None if self.from_ is None else moment_ms(self.from_, zone, "from"),
            "to_ms": None if self.to is None else moment_ms(self.to, zone, "to"),
            "tz": self.tz,
        }


class TimelineQuery(_Within):
    """A search over time."""

    q: Searched = ""
    bucket: Bucket | None = Field(None, description="width of a point; one that fits the span if left out")

    def search(self) -> Search:
        """Return it as it is asked. Raises InvalidInput."""
        return Search((self.q,), bucket=self.bucket, **self.within())


class CompareQuery(_Within):
    """Searches over one span; `q` comes once for each."""

    q: Annotated[list[Searched], Field(min_length=1, max_length=MAX_SERIES)]
    bucket: Bucket | None = Field(None, description="width of a point; one that fits the span if left out")

    def search(self) -> Search:
        """Return it as it is asked. Raises InvalidInput."""
        return Search(tuple(self.q), bucket=self.bucket, **self.within())


class RelatedQuery(_Within):
    """A search whose words and topics are wanted."""

    q: Searched = ""
    limit: int = Field(20, ge=1, le=200)

    def search(self) -> Search:
        """Return it as it is asked. Raises InvalidInput."""
        return Search((self.q,), limit=self.limit, **self.within())


class FacetsQuery(_Within):
    """A search whose texts are counted by a field."""

    q: Searched = ""
    by: FacetName = Field("source", description="the field; an author is the key that stands for the name")
    limit: int = Field(20, ge=1, le=200)

    def search(self) -> Search:
        """Return it as it is asked. Raises InvalidInput."""
        return Search((self.q,), by=self.by, limit=self.limit, **self.within())


class TopQuery(_Within):
    """A search whose texts are wanted, a page at a time."""

    q: Searched = ""
    order: Order = Field("newest", description="what comes first: the newest, or the strongest feeling")
    limit: int = Field(20, ge=1, le=200)
    after: Cursor | None = Field(None, description="`next` of the page before")

    def search(self) -> Search:
        """Return it as it is asked. Raises InvalidInput."""
        return Search((self.q,), order=self.order, limit=self.limit, after=self.after, **self.within())


class WhyQuery(BaseModel):
    """A search and two spans, FROM/TO each."""

    model_config = ConfigDict(extra="forbid")

    q: Searched = ""
    before: str = Field(max_length=130, description="FROM/TO", examples=["2026-03-01/2026-03-08"])
    after: str = Field(max_length=130, description="FROM/TO", examples=["2026-03-08/2026-03-15"])
    by: Literal["topic"] = Field("topic", description="what the texts are grouped by")
    tz: str = Field("UTC", max_length=64, description="IANA name: whose midnight a date means")

    def search(self) -> Search:
        """Return it as it is asked. Raises InvalidInput."""
        zone = zone_of(self.tz)
        spans = span_ms(self.before, zone, "before"), span_ms(self.after, zone, "after")
        return Search((self.q,), spans=spans, tz=self.tz)


class CompleteQuery(BaseModel):
    """A word or topic that has been begun."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field("", max_length=MAX_CHARACTERS, description="what was typed; its last word counts", examples=["clim"])
    limit: int = Field(10, ge=1, le=100)

    def search(self) -> Search:
        """Return it as it is asked."""
        return Search((self.q,), limit=self.limit)


class VersionOut(BaseModel):
    """What one model version said within a point."""

    count: int
    sentiment: Mean


class PointOut(BaseModel):
    """One bucket; `partial` where the span or the present cuts it."""

    from_ms: Epoch
    to_ms: Epoch
    count: int
    sentiment: Mean
    low: End
    high: End
    labels: dict[str, int]
    versions: dict[str, VersionOut]
    partial: bool


class MarkOut(BaseModel):
    """A moment at which a rollout moved traffic: `share` is that of version `to` from then on."""

    at_ms: Epoch
    kind: Literal["rollout"]
    from_: int = Field(alias="from")
    to: int
    state: str
    share: float


class TimelineOut(BaseModel):
    """A search over time; the empty buckets are there too."""

    query: str
    total: int
    sentiment: Mean
    low: End
    high: End
    from_ms: Epoch
    to_ms: Epoch
    bucket: Bucket
    tz: str
    points: list[PointOut]
    marks: list[MarkOut]
    commit: str


class CompareOut(BaseModel):
    """Searches over one span; `share` is each one's part of all that they count."""

    series: list[TimelineOut]
    share: list[float | None]
    commit: str


class TermOut(BaseModel):
    """A word or topic, in `count` of the texts found: `lift` times as often as in all texts."""

    term: str
    kind: Literal["word", "topic"]
    count: int
    lift: float
    sentiment: Mean


class FacetOut(BaseModel):
    """A value that texts found have, and how many do."""

    value: str
    count: int
    sentiment: Mean


class FacetsOut(BaseModel):
    """The most frequent values of a field; texts without one are in none, those of several topics in each."""

    query: str
    by: FacetName
    facets: list[FacetOut]
    commit: str


class RelatedOut(BaseModel):
    """What goes with a search, the strongest first."""

    query: str
    terms: list[TermOut]
    commit: str


class TopOut(BaseModel):
    """A page of texts; `next` continues after them as `?after=`."""

    query: str
    texts: list[TextOut]
    next: str | None
    commit: str


class PartsOut(BaseModel):
    """Signed parts of a change; they add up to it."""

    mix: float = Field(description="other topics are discussed")
    inside: float = Field(description="the same topics are discussed differently")
    model: float = Field(description="other model versions have labelled the texts")
    volume: float = Field(description="more or fewer texts of the same tone")


class DriverOut(BaseModel):
    """A topic's part in a change; null as topic: texts without one. A text of k topics counts 1/k in each."""

    topic: str | None
    mix: float
    inside: float
    model: float
    count_before: float
    count_after: float
    sentiment_before: Mean
    sentiment_after: Mean
    words: list[str] = Field(description="words that go with the topic in the second span")
    texts: list[TextOut] = Field(description="texts of the second span that show it best")


class SideOut(BaseModel):
    """One of the two spans, and its texts with a sentiment."""

    from_ms: Epoch
    to_ms: Epoch
    count: int
    sentiment: Mean


class WhyOut(BaseModel):
    """Why the tone of a search moved between two spans; null where one of them has no text with a sentiment."""

    query: str
    by: Literal["topic"]
    before: SideOut
    after: SideOut
    change: float | None = Field(description="of the net tone: texts a day times mean tone, a text of average volume")
    tone_change: float | None = Field(description="of the mean tone: `mix`, `inside` and `model` together")
    low: float | None = Field(description="an end of the 95 % interval of `tone_change`")
    high: float | None = Field(description="an end of the 95 % interval of `tone_change`")
    parts: PartsOut | None
    offsets_known: list[int] = Field(description="model versions whose distance from the others has been measured")
    drivers: list[DriverOut]
    sentence: str
    commit: str


class CompletionOut(BaseModel):
    """A word or topic, and how many texts have it."""

    term: str
    kind: Literal["word", "topic"]
    count: int


class CompleteOut(BaseModel):
    """What begins so, the most frequent first."""

    terms: list[CompletionOut]
    commit: str
