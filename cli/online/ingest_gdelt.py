"""`undertone ingest gdelt` and `gdelt-doc`: the news of the world, by quarter-hours or by a search."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli.online import ingest_options as options
from cli.online.connection import ApiKey, Url
from cli.online.ingest_platform import carry_out
from sentiment.ingest import IngestRequest


class FeedOption(StrEnum):
    """Which of GDELT's feeds are read."""

    ENGLISH = "english"
    TRANSLATED = "translated"
    BOTH = "both"


_Feed = Annotated[
    FeedOption, typer.Option("--feed", help="Pages in English, those that GDELT translates for itself, or both.")
]
_From = Annotated[
    str | None,
    typer.Option("--from", help="A date or a time, since February 2015; the newest quarter-hour if left out."),
]
_To = Annotated[str | None, typer.Option("--to", help="As --from, exclusive; without it new ones are waited for.")]
_Once = Annotated[
    bool, typer.Option("--once", help="End with the newest quarter-hour; the same command goes on there.")
]
_Events = Annotated[
    bool, typer.Option("--events", help="Add the kinds of events in an article, such as protest, to its topics.")
]
_SearchFrom = Annotated[str | None, typer.Option("--from", help="A date or a time; the last day if left out.")]
_SearchTo = Annotated[str | None, typer.Option("--to", help="As --from; now if left out.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("gdelt")(feeds)
    app.command("gdelt-doc")(search)


def feeds(
    feed: _Feed = FeedOption.ENGLISH,
    from_time: _From = None,
    to_time: _To = None,
    once: _Once = False,
    events: _Events = False,
    time_zone: options.TimeZone = "UTC",
    limit: options.Limit = None,
    speed: options.Speed = "max",
    name: Annotated[str, typer.Option("--name", help="Name of the ingest, and source of its texts.")] = "gdelt",
    restart: options.Restart = False,
    background: options.Background = False,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Send the titles of the articles that GDELT reads, a quarter-hour after the other, with what they are about.

    Quarter-hours that are missing or damaged are listed at the end; the same command asks for them again.

    Examples:

      undertone ingest gdelt --once

      undertone ingest gdelt --from 2026-03-01 --to 2026-03-02 --feed both --name march
    """
    request = IngestRequest(
        name,
        "gdelt",
        time_zone=time_zone,
        limit=limit,
        speed=speed,
        feed=feed.value,
        events=events or None,
        from_time=from_time,
        to_time=to_time,
        once=once or None,
    )
    carry_out(request, url, api_key, restart=restart, background=background, as_json=as_json)


def search(
    query: Annotated[
        str, typer.Argument(help='What to look for, as DOC 2.0 has it: "climate change" sourcelang:english.')
    ],
    from_time: _SearchFrom = None,
    to_time: _SearchTo = None,
    time_zone: options.TimeZone = "UTC",
    limit: options.Limit = None,
    speed: options.Speed = "max",
    name: Annotated[str, typer.Option("--name", help="Name of the ingest, and source of its texts.")] = "gdelt-doc",
    restart: options.Restart = False,
    background: options.Background = False,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Send the titles of the articles that GDELT's DOC 2.0 service finds, one request in five seconds.

    It shows 250 at most: a span with more is halved until all are shown, or listed at the end.

    Examples:

      undertone ingest gdelt-doc '"central bank" inflation sourcelang:english' --from 2026-03-01 --name inflation
    """
    request = IngestRequest(
        name,
        "gdelt-doc",
        time_zone=time_zone,
        limit=limit,
        speed=speed,
        query=query,
        from_time=from_time,
        to_time=to_time,
    )
    carry_out(request, url, api_key, restart=restart, background=background, as_json=as_json)
