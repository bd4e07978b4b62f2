"""How answers about many texts are printed: as JSON, as CSV, or as a picture for a person."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console, RenderableType

from cli.terminal import print_table
from sentiment.errors import InvalidInput
from sentiment.tables.formulas import escaped


def refuse_both(*, as_json: bool, as_csv: bool) -> None:
    """Raise InvalidInput where both forms are asked for."""
    if as_json and as_csv:
        raise InvalidInput("--json and --csv exclude each other: give one of them", "--csv")


def show(
    console: Console,
    answer: Mapping[str, Any],
    rows: Callable[[], Sequence[Mapping[str, Any]]],
    picture: Callable[[], RenderableType],
    *,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Print an answer as JSON, as `rows` of CSV, or as `picture` for a person."""
    if as_json:
        _print_json(answer)
    elif as_csv:
        _print_csv(rows())
    else:
        print_table(console, picture())


def _print_json(answer: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")


def _print_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(rows[0])
        writer.writerows([[_cell(value) for value in row.values()] for row in rows])


def _cell(value: Any) -> Any:
    return escaped(value) if isinstance(value, str) else "" if value is None else value
