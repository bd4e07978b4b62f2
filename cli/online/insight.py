"""`undertone insight …`: how many texts, how they feel and when, what goes with a search, and its texts."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from cli.online import insight_view as view
from cli.online.connection import ApiKey, Url, connect
from cli.online.insight_output import refuse_both, show
from cli.options import Json
from sentiment.errors import InvalidInput

app = typer.Typer(help="Ask many texts at once: how many, how they feel, when, and why.", no_args_is_help=True)
console = Console(soft_wrap=True)

_ATTEMPTS: Final = 3  # a person waits
_LONGEST_PAGE: Final = 200

_Parameters = list[tuple[str, str]]


class Bucket(StrEnum):
    """The width of a timeline's points."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Order(StrEnum):
    """Which texts come first."""

    NEWEST = "newest"
    POSITIVE = "positive"
    NEGATIVE = "negative"


class FacetName(StrEnum):
    """What texts are counted by."""

    SOURCE = "source"
    LANGUAGE = "language"
    TOPIC = "topic"
    AUTHOR = "author"


Search = Annotated[
    str, typer.Argument(help='A search: climate and (flood or "heat wave") not label:neutral. Empty: all texts.')
]
From = Annotated[
    str | None, typer.Option("--from", help="A date, a time or ms since 1970; the first text if left out.")
]
To = Annotated[str | None, typer.Option("--to", help="As --from, exclusive; the last text if left out.")]
Width = Annotated[Bucket | None, typer.Option("--bucket", help="Width of a point; one that fits the span if left out.")]
Zone = Annotated[str, typer.Option("--tz", help="Time zone in which days begin, such as Europe/Berlin.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV, for spreadsheets.")]


@app.command("timeline")
def timeline(
    query: Search = "",
    from_: From = None,
    to: To = None,
    bucket: Width = None,
    tz: Zone = "UTC",
    as_json: Json = False,
    as_csv: Csv = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Show a search over time: texts and sentiment, bucket by bucket.

    Example: undertone insight timeline "climate and (flood or fire)" --from 2026-01-01 --bucket day
    """
    parameters = [("q", query), *_span(from_, to, tz), *_given(bucket=bucket)]
    answer = _ask("timeline", parameters, url, api_key, as_json=as_json, as_csv=as_csv)
    show(
        console,
        answer,
        lambda: view.timeline_rows([answer]),
        lambda: view.timeline_card(answer, console.width),
        as_json=as_json,
        as_csv=as_csv,
    )


@app.command("compare")
def compare(
    queries: Annotated[list[str], typer.Argument(help="Two to five searches.")],
    from_: From = None,
    to: To = None,
    bucket: Width = None,
    tz: Zone = "UTC",
    as_json: Json = False,
    as_csv: Csv = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Show searches beside each other, over one span.

    Example: undertone insight compare "tea" "coffee or espresso" --bucket week
    """
    parameters = [*(("q", query) for query in queries), *_span(from_, to, tz), *_given(bucket=bucket)]
    answer = _ask("compare", parameters, url, api_key, as_json=as_json, as_csv=as_csv)
    show(
        console,
        answer,
        lambda: view.timeline_rows(answer["series"]),
        lambda: view.comparison_card(answer, console.width),
        as_json=as_json,
        as_csv=as_csv,
    )


@app.command("related")
def related(
    query: Search,
    from_: From = None,
    to: To = None,
    tz: Zone = "UTC",
    limit: Annotated[int, typer.Option(help="How many terms at most.", min=1, max=200)] = 20,
    as_json: Json = False,
    as_csv: Csv = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Show words and topics that are more frequent where a search finds texts, and not by chance.

    Example: undertone insight related "climate" --from 2026-01-01
    """
    parameters = [("q", query), *_span(from_, to, tz), ("limit", str(limit))]
    answer = _ask("related", parameters, url, api_key, as_json=as_json, as_csv=as_csv)
    nothing = "No term is clearly more frequent there than elsewhere, or the search finds too few texts."
    show(
        console,
        answer,
        lambda: answer["terms"],
        lambda: view.terms_table(answer["terms"]) if answer["terms"] else nothing,
        as_json=as_json,
        as_csv=as_csv,
    )


@app.command("facets")
def facets(
    query: Search = "",
    from_: From = None,
    to: To = None,
    tz: Zone = "UTC",
    by: Annotated[FacetName, typer.Option(help="What to count by.")] = FacetName.SOURCE,
    limit: Annotated[int, typer.Option(help="How many values at most.", min=1, max=200)] = 20,
    as_json: Json = False,
    as_csv: Csv = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Count a search's texts by source, language, topic or author, the most frequent first.

    Example: undertone insight facets "climate" --by language
    """
    parameters = [("q", query), *_span(from_, to, tz), ("by", by.value), ("limit", str(limit))]
    answer = _ask("facets", parameters, url, api_key, as_json=as_json, as_csv=as_csv)
    nothing = f"No text was found that has a{'n' if by is FacetName.AUTHOR else ''} {by.value}."
    show(
        console,
        answer,
        lambda: answer["facets"],
        lambda: view.facets_table(answer) if answer["facets"] else nothing,
        as_json=as_json,
        as_csv=as_csv,
    )


@app.command("top")
def top(
    query: Search = "",
    from_: From = None,
    to: To = None,
    tz: Zone = "UTC",
    order: Annotated[Order, typer.Option(help="What comes first.")] = Order.NEWEST,
    limit: Annotated[int, typer.Option(help="How many texts at most.", min=1)] = 20,
    as_json: Json = False,
    as_csv: Csv = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Show texts that a search finds: the newest, the most positive or the most negative ones.

    Example: undertone insight top "climate" --order negative --limit 5
    """
    parameters = [("q", query), *_span(from_, to, tz), ("order", order.value)]
    answer = _pages(parameters, limit, url, api_key, as_json=as_json, as_csv=as_csv)
    nothing = "No text was found."
    show(
        console,
        answer,
        lambda: [view.text_row(text) for text in answer["texts"]],
        lambda: view.texts_table(answer["texts"], tz) if answer["texts"] else nothing,
        as_json=as_json,
        as_csv=as_csv,
    )


@app.command("why")
def why(
    query: Search = "",
    before: Annotated[str, typer.Option("--before", help="First span, FROM/TO; TO is not included.")] = "",
    after: Annotated[str, typer.Option("--after", help="Second span, FROM/TO.")] = "",
    tz: Zone = "UTC",
    as_json: Json = False,
    as_csv: Csv = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Say why a search's tone moved between two spans: topics, what is said of them, the model, the volume.

    Example: undertone insight why flood --before 2026-03-01/2026-03-08 --after 2026-03-08/2026-03-15
    """
    for name, value in (("--before", before), ("--after", after)):
        if not value:
            raise InvalidInput(f"{name} is missing: give both spans, as in {name} 2026-03-01/2026-03-08", name)
    parameters = [("q", query), ("before", before), ("after", after), ("tz", tz)]
    answer = _ask("why", parameters, url, api_key, as_json=as_json, as_csv=as_csv)
    show(
        console,
        answer,
        lambda: [view.driver_row(driver) for driver in answer["drivers"]],
        lambda: view.why_card(answer),
        as_json=as_json,
        as_csv=as_csv,
    )


def _span(from_: str | None, to: str | None, tz: str) -> _Parameters:
    return [*_given(**{"from": from_}, to=to), ("tz", tz)]


def _given(**values: str | None) -> _Parameters:
    return [(name, str(value)) for name, value in values.items() if value is not None]


def _ask(
    question: str, parameters: _Parameters, url: str | None, api_key: str | None, *, as_json: bool, as_csv: bool
) -> dict[str, Any]:
    refuse_both(as_json=as_json, as_csv=as_csv)
    with connect(url, api_key, _ATTEMPTS) as client:
        return client.insights(question, parameters)


def _pages(
    parameters: _Parameters, limit: int, url: str | None, api_key: str | None, *, as_json: bool, as_csv: bool
) -> dict[str, Any]:
    """Return up to `limit` texts as one answer, its `next` that of the last page."""
    refuse_both(as_json=as_json, as_csv=as_csv)
    texts: list[dict[str, Any]] = []
    after: _Parameters = []
    with connect(url, api_key, _ATTEMPTS) as client:
        while True:
            size = ("limit", str(min(_LONGEST_PAGE, limit - len(texts))))
            answer = client.insights("top", [*parameters, size, *after])
            texts += answer["texts"]
            if answer["next"] is None or len(texts) >= limit:
                return {**answer, "texts": texts}
            after = [("after", answer["next"])]
