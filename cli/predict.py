"""Classify texts from the command line: `undertone predict "I love this product!"`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cli.connection import ApiKey, Url, connect
from sentiment.answers import Result

_COLOURS = {"negative": "red", "neutral": "yellow", "positive": "green"}
_BAR_CELLS = 30
_ATTEMPTS = 2  # a person waits


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(predict)


def predict(
    texts: Annotated[list[str], typer.Argument(help="The texts; `-` reads one a line from standard input.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line instead.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Say how the writer of a text feels.

    Examples:

      undertone predict "I love this product!"

      undertone predict "Great food." "Awful service."

      cat reviews.txt | undertone predict - --json
    """
    failed = False
    with connect(url, api_key, _ATTEMPTS) as client:
        given, sent = _remembered(_lines(texts))
        for result in client.predict_stream(sent):
            text = given.pop(0)
            failed = failed or "error" in result
            _print_json(result) if as_json else _print_card(text, result)
    if failed:
        raise typer.Exit(1)


def _lines(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        if text == "-":
            yield from (line.rstrip("\r\n") for line in sys.stdin if line.strip())
        else:
            yield text


def _remembered(texts: Iterator[str]) -> tuple[list[str], Iterator[str]]:
    """Return a list that holds the texts taken from the iterator and not yet removed from the list."""
    given: list[str] = []

    def take() -> Iterator[str]:
        for text in texts:
            given.append(text)
            yield text

    return given, take()


def _print_json(result: Result) -> None:
    sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")


def _print_card(text: str, result: Result) -> None:
    console = Console()
    shown = Text(text, overflow="ellipsis", no_wrap=True)
    if "error" in result:
        console.print(Panel(Group(shown, Text(result["error"]["message"], "red")), title="not classified", width=72))
        return
    colour = _COLOURS[result["label"]]
    heading = Text.assemble((result["verdict"], f"bold {colour}"), f"   sentiment {result['sentiment']:+.2f}")
    model, timing = result["model"], result["timing_ms"]["total"]
    footer = Text(f"{model['name']} version {model['version']}, {timing:.1f} ms", "dim")
    console.print(Panel(Group(shown, Text(), heading, _bars(result["probabilities"]), footer), width=72))


def _bars(probabilities: dict[str, float]) -> Table:
    table = Table.grid(padding=(0, 1))
    for label, probability in probabilities.items():
        filled = round(probability * _BAR_CELLS)
        bar = Text.assemble(("█" * filled, _COLOURS[label]), ("░" * (_BAR_CELLS - filled), "dim"))
        table.add_row(label, bar, f"{probability:6.1%}")
    return table
