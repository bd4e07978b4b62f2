"""What the tab *Explore* asks the API for, and the state that stands in its link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self
from urllib.parse import urlencode

from gradio_ui.tabs.explore.axis import moment, written
from sentiment.client.http import UndertoneClient
from sentiment.errors import InvalidInput, UndertoneError

BUCKETS: Final = ("auto", "hour", "day", "week", "month")
ORDERS: Final = ("newest", "positive", "negative")
MOST_SEARCHES: Final = 5
_TEXTS: Final = 10
_TERMS: Final = 24
_FACETS: Final = 6
_LINKED: Final = 8


@dataclass(frozen=True)
class Form:
    """What a person has asked for. Empty `begin`, `end` and `zone` are the API's own: all texts found, UTC."""

    query: str = ""
    others: tuple[str, ...] = ()
    begin: str = ""
    end: str = ""
    bucket: str = "auto"
    zone: str = ""
    order: str = "newest"

    @classmethod
    def of(cls, link: Mapping[str, str]) -> Self:
        """Return the form that a link's parameters hold; what is wrong in them is left out."""
        others = tuple(link[name] for name in ("q2", "q3", "q4", "q5") if link.get(name))
        bucket, order = link.get("bucket", "auto"), link.get("order", "newest")
        return cls(
            link.get("q", ""),
            others,
            link.get("from", ""),
            link.get("to", ""),
            bucket if bucket in BUCKETS else "auto",
            link.get("tz", ""),
            order if order in ORDERS else "newest",
        )

    @property
    def queries(self) -> tuple[str, ...]:
        """All searches, the first one first, none twice."""
        return tuple(dict.fromkeys((self.query.strip(), *(other.strip() for other in self.others if other.strip()))))

    @property
    def link(self) -> str:
        """The query string that brings this form back."""
        names = [("q", self.query.strip()), *zip(("q2", "q3", "q4", "q5"), self.queries[1:], strict=False)]
        rest = (
            ("from", self.begin),
            ("to", self.end),
            ("bucket", self.bucket),
            ("tz", self.zone),
            ("order", self.order),
        )
        defaults = {"bucket": "auto", "order": "newest"}
        parameters = [
            (name, value.strip()) for name, value in (*names, *rest) if value.strip() != defaults.get(name, "")
        ]
        return urlencode([("tab", "explore"), *parameters])

    def brushed(self, first: str, last: str, timeline: Mapping[str, Any]) -> Form:
        """Return the form for a stretch of the axis of `timeline`, as the brush gives its ends: whole buckets."""
        begin, end = sorted((moment(first, timeline), moment(last, timeline)))
        cut = [point for point in timeline["points"] if point["to_ms"] > begin and point["from_ms"] < end]
        if not cut:
            return self
        return replace(self, begin=written(cut[0]["from_ms"], timeline), end=written(cut[-1]["to_ms"], timeline))

    def adding(self, term: str, kind: str) -> Form:
        """Return the form with a related word or topic added to the search."""
        word = f'topic:"{term}"' if kind == "topic" else f'"{term}"'
        query = self.query.strip()
        joined = f"({query}) and {word}" if " or " in f" {query.casefold()} " else f"{query} {word}".strip()
        return replace(self, query=joined)


@dataclass(frozen=True)
class Explored:
    """What the API answered to a form: `series` has a timeline for each search, the rest belongs to the first."""

    form: Form
    series: list[dict[str, Any]]
    share: list[float | None]
    terms: list[dict[str, Any]]
    texts: list[dict[str, Any]]
    sources: list[dict[str, Any]] = field(default_factory=list)
    languages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def first(self) -> dict[str, Any]:
        """The timeline of the first search."""
        return self.series[0]


def explore(client: UndertoneClient, form: Form) -> Explored:
    """Ask for all panels at once.

    Raises:
        InvalidInput: a search, a time, the zone or the bucket is wrong, naming it; or there are too many searches.
        UndertoneError: the platform does not answer.
    """
    if len(form.queries) > MOST_SEARCHES:
        raise InvalidInput(f"Up to {MOST_SEARCHES} searches are compared; remove some.", "q")
    span = _span(form)
    first = [("q", form.queries[0]), *span]
    width = [("bucket", form.bucket)] if form.bucket != "auto" else []
    with ThreadPoolExecutor(5, thread_name_prefix="explore") as pool:
        sources, languages = (
            pool.submit(client.insights, "facets", [*first, ("by", by), ("limit", str(_FACETS))])
            for by in ("source", "language")
        )
        compared = pool.submit(client.insights, "compare", [*(("q", query) for query in form.queries), *span, *width])
        related = pool.submit(client.insights, "related", [*first, ("limit", str(_TERMS))])
        top = pool.submit(client.insights, "top", [*first, ("order", form.order), ("limit", str(_TEXTS))])
        answer = compared.result()
        found = related.result()["terms"], top.result()["texts"]
        facets = sources.result()["facets"], languages.result()["facets"]
        return Explored(form, answer["series"], answer["share"], *found, *facets)


def links_between(client: UndertoneClient, form: Form, terms: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the pairs of related terms that are related to each other too, by asking for the first few of them."""
    names = {term["term"] for term in terms}

    def of(term: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return the pairs that a term begins."""
        query = Form().adding(term["term"], term["kind"]).query
        related = client.insights("related", [("q", query), *_span(form), ("limit", str(_TERMS))])["terms"]
        return [(term["term"], each["term"]) for each in related if each["term"] in names - {term["term"]}]

    with ThreadPoolExecutor(3, thread_name_prefix="explore") as pool:
        return [pair for pairs in pool.map(of, terms[:_LINKED]) for pair in pairs]


def completions(client: UndertoneClient, typed: str) -> list[dict[str, Any]]:
    """Return words and topics that go on from what is typed; none where the platform does not answer."""
    if not typed.strip() or typed[-1].isspace():
        return []
    try:
        return list(client.insights("complete", [("q", typed), ("limit", "6")])["terms"])
    except UndertoneError:
        return []


def _span(form: Form) -> list[tuple[str, str]]:
    named = (("from", form.begin), ("to", form.end), ("tz", form.zone))
    return [(name, value.strip()) for name, value in named if value.strip()]
