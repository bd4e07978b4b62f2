"""Options of all commands that read CSV and TSV files."""

from __future__ import annotations

from typing import Annotated

import typer

from sentiment.errors import InvalidInput
from sentiment.tables import AUTO, DELIMITERS, Quoting, delimiter_of


def _checked(given: str) -> str:
    try:
        delimiter_of(given)
    except InvalidInput as exc:
        raise typer.BadParameter(str(exc)) from exc
    return given


Delimiter = Annotated[
    str,
    typer.Option(
        callback=_checked,
        help=f"What stands between the cells of CSV and TSV files: a character, or {', '.join((AUTO, *DELIMITERS))}.",
    ),
]
QuotingOption = Annotated[
    Quoting,
    typer.Option(
        "--quoting",
        help="Quotes in CSV and TSV files: none, they are characters; all, they enclose each cell that begins with "
        "one, in a .tsv too; auto, the file tells.",
    ),
]
