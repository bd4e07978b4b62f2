"""Send files and streams of texts through a platform: `undertone ingest csv tweets.csv --name tweets`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from cli.online import ingest_gdelt, ingest_platform
from cli.online import ingest_options as options
from cli.online.connection import ApiKey, Url
from cli.online.ingest_platform import carry_out
from cli.online.ingest_run import STDIN, run
from cli.options import Delimiter, QuotingOption
from sentiment.ingest import BLUESKY, IngestRequest
from sentiment.sources import ADDRESS, KINDS
from sentiment.tables import AUTO

app = typer.Typer(help="Send files and streams of texts through a platform.", no_args_is_help=True)

_FILES: Final = {
    "csv": "Send the rows of a CSV or TSV file.",
    "jsonl": "Send the objects of a JSON Lines file, one a line.",
    "parquet": "Send the rows of a Parquet file.",
}
_FILE_HELP: Final = """{summary}

    Stopped at any moment, the same command continues where it was: no text is lost, none is kept twice. Rejected rows
    are in UNDERTONE_HOME/ingests/NAME/rejected.jsonl, with the reason.

    Examples:

      undertone ingest {kind} tweets.{kind} --time-column date --author-column user --id-column id --name tweets

      undertone ingest {kind} export.{kind} --time-column created --time-format '%m/%d/%Y %H:%M' --speed 60x
    """


def _file_command(kind: str) -> Callable[..., None]:
    def command(
        file: Annotated[Path, typer.Argument(help="The file.")],
        text_column: options.TextColumn = "text",
        time_column: options.TimeColumn = None,
        time_format: options.TimeFormat = None,
        time_zone: options.TimeZone = "UTC",
        author_column: options.AuthorColumn = None,
        topic_column: options.TopicColumn = None,
        id_column: options.IdColumn = None,
        label_column: options.LabelColumn = None,
        labels: options.Labels = None,
        encoding: Annotated[str, typer.Option(help="Encoding of the file, such as cp1252.")] = "utf-8",
        delimiter: Delimiter = AUTO,
        quoting: QuotingOption = AUTO,
        columns: options.Header = None,
        limit: options.Limit = None,
        speed: options.Speed = "max",
        name: options.Name = None,
        restart: options.Restart = False,
        background: options.Background = False,
        url: Url = None,
        api_key: ApiKey = None,
        as_json: options.AsJson = False,
    ) -> None:
        """Replaced below: the help of each kind has its own examples."""
        request = IngestRequest(
            name or file.name.removesuffix(".gz").rpartition(".")[0],
            kind,
            str(file),
            text_column=text_column,
            time_column=time_column,
            time_format=time_format,
            time_zone=time_zone,
            author_column=author_column,
            topic_column=topic_column,
            id_column=id_column,
            label_column=label_column,
            labels=labels,
            encoding=encoding,
            delimiter=delimiter,
            quoting=quoting,
            columns=tuple(column.strip() for column in columns.split(",")) if columns else None,
            limit=limit,
            speed=speed,
        )
        carry_out(request, url, api_key, restart=restart, background=background, as_json=as_json)

    command.__doc__ = _FILE_HELP.format(summary=_FILES[kind], kind=kind)
    return command


for _kind in KINDS:
    app.command(_kind)(_file_command(_kind))
ingest_gdelt.register(app)
ingest_platform.register(app)


@app.command("stdin")
def stdin(
    name: Annotated[str, typer.Option("--name", help="Name of the ingest, and source of its texts.")],
    text_column: options.TextColumn = "text",
    time_column: options.TimeColumn = None,
    time_format: options.TimeFormat = None,
    time_zone: options.TimeZone = "UTC",
    author_column: options.AuthorColumn = None,
    topic_column: options.TopicColumn = None,
    id_column: options.IdColumn = None,
    label_column: options.LabelColumn = None,
    labels: options.Labels = None,
    limit: options.Limit = None,
    speed: options.Speed = "max",
    url: Url = None,
    api_key: ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Send the lines of standard input as they come: JSON objects if the first line begins with {, else a text a line.

    Each run reads the stream from its beginning. The same lines are the same texts, kept once.

    Examples:

      tail -F posts.jsonl | undertone ingest stdin --text-column body --id-column id --name posts

      undertone ingest stdin --name reviews < reviews.txt
    """
    request = IngestRequest(
        name,
        STDIN,
        text_column=text_column,
        time_column=time_column,
        time_format=time_format,
        time_zone=time_zone,
        author_column=author_column,
        topic_column=topic_column,
        id_column=id_column,
        label_column=label_column,
        labels=labels,
        limit=limit,
        speed=speed,
    )
    run(request, url, api_key, restart=True, as_json=as_json)


@app.command("bluesky")
def bluesky(
    languages: Annotated[
        str | None, typer.Option("--languages", help="Leave out posts that name none of these: en,de; all if left out.")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option("--address", help=f"A Jetstream server, of protocol 1 if it ends in /subscribe; {ADDRESS}."),
    ] = None,
    limit: options.Limit = None,
    name: Annotated[str, typer.Option("--name", help="Name of the ingest, and source of its texts.")] = BLUESKY,
    restart: options.Restart = False,
    background: options.Background = False,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Send all new posts of Bluesky, as they are written, until Ctrl+C, or --limit.

    Started again, it continues where it was, as far back as the server keeps posts. A post that is deleted there is
    deleted here too, which takes a key with the scope admin.

    Example: undertone ingest bluesky --languages en --limit 5000
    """
    codes = tuple(code.strip().casefold() for code in languages.split(",")) if languages else None
    request = IngestRequest(name, BLUESKY, address=address, languages=codes, limit=limit)
    carry_out(request, url, api_key, restart=restart, background=background, as_json=as_json)
