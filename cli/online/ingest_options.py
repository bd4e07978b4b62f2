"""Options of the commands that ingest: each is declared once."""

from __future__ import annotations

from typing import Annotated

import typer

TextColumn = Annotated[str, typer.Option("--text-column", "-c", help="Column that holds the texts.")]
TimeColumn = Annotated[
    str | None, typer.Option("--time-column", help="Column that says when they were written; now if left out.")
]
TimeFormat = Annotated[
    str | None,
    typer.Option(
        "--time-format",
        help="How times are written, as '%m/%d/%Y %H:%M', or seconds or milliseconds; the column tells if left out.",
    ),
]
TimeZone = Annotated[
    str, typer.Option("--time-zone", help="Zone of times that name none: UTC, Europe/Berlin, America/New_York …")
]
AuthorColumn = Annotated[
    str | None, typer.Option("--author-column", help="Column that says who wrote them; kept as a keyed hash.")
]
TopicColumn = Annotated[
    str | None, typer.Option("--topic-column", help="Column of topics: a list, or with , ; or | between them.")
]
IdColumn = Annotated[
    str | None, typer.Option("--id-column", help="Column of the texts' ids; made from row and text if left out.")
]
LabelColumn = Annotated[
    str | None, typer.Option("--label-column", help="Column of true labels, kept as feedback on the texts.")
]
Labels = Annotated[
    str | None,
    typer.Option("--labels", help="What labels mean: 0=negative,4=positive, names for 0, 1, 2, or a YAML file."),
]
Header = Annotated[
    str | None, typer.Option("--columns", help="Names of the columns of a file without a header: target,id,date,text.")
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="Records to read, all runs together; all if left out.")
]
Speed = Annotated[
    str,
    typer.Option("--speed", help="max: as fast as the platform answers; 1x: the source's own; 60x: 60 times that."),
]
Name = Annotated[
    str | None,
    typer.Option("--name", help="Name of the ingest, and source of its texts; the file's name if left out."),
]
Restart = Annotated[
    bool, typer.Option("--restart", help="Forget the position and counts of this name, and start from the beginning.")
]
Background = Annotated[
    bool, typer.Option("--background", help="Let the platform run it; the file must lie in UNDERTONE_INGEST_FILES.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the last line as JSON, for programs.")]
