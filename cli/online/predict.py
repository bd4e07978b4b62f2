"""Classify texts from the command line: `undertone predict "I love this product!"`."""

from __future__ import annotations

import json
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, cast

import typer
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand

from cli.online.connection import ApiKey, Url, connect
from sentiment.client.answers import Result
from sentiment.client.bulk import is_supported
from sentiment.client.http import UndertoneClient
from sentiment.errors import InvalidInput
from sentiment.language import unsupported_words
from sentiment.text import has_visible_text

_COLOURS = {"negative": "red", "neutral": "yellow", "positive": "green"}
_BAR_CELLS = 30
_ATTEMPTS = 2  # a person waits
#: How the stream names a text, by its place; at the beginning alone, since a text may be quoted behind it.
_PLACE = re.compile(r"^lines\.\d+(?:\.text)?(?![\w.])")
_MARK = "\0"  # no argument of a program can hold it
_REMEDY = "Put a text that looks like an option after --, as in: undertone predict -- --great"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(cls=_TextsFirst)(predict)


def is_text(argument: str) -> bool:
    """Whether an argument that begins with a dash is a text: options begin with a letter and have no blanks.

    The value after an option's `=` may have blanks.
    """
    name = argument.partition("=")[0] if argument.startswith("--") else argument
    first = name.lstrip("-")[:1]
    begins_with_a_letter = first.isascii() and first.isalpha()
    return not begins_with_a_letter or any(map(str.isspace, name))


class _TextsFirst(TyperCommand):
    """Accepts texts like `-1 out of 10`, and explains how to pass a text that looks like an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; texts that begin with a dash are marked meanwhile, or they would be read as options."""
        end = args.index("--") if "--" in args else len(args)
        marked = [
            _MARK + each if each.startswith("-") and each != "-" and is_text(each) else each for each in args[:end]
        ]
        try:
            rest: list[str] = super().parse_args(ctx, marked + args[end:])
        except Exception as exc:
            if type(exc).__name__ == "NoSuchOption":  # Typer keeps the class to itself
                exc.message += f". {_REMEDY}"  # type: ignore[attr-defined]
            raise
        ctx.params = {name: _unmarked(value) for name, value in ctx.params.items()}
        return rest


def _unmarked(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(map(_unmarked, value))
    return value.removeprefix(_MARK) if isinstance(value, str) else value


def predict(
    texts: Annotated[list[str], typer.Argument(help="The texts; `-` reads one a line from standard input.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line instead.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Say how the writer of a text feels.

    Every line of standard input (UTF-8) gets an answer in its place, a blank one an error; with --json it has the
    line's number as "line". The exit status is 1 if a text, blank lines aside, could not be classified.

    A text may begin with a dash if it has a blank in it or no letter follows the dash; any may behind `--`.

    Examples:

      undertone predict "I love this product!"

      undertone predict "-1 out of 10"

      undertone predict "Great food." "Awful service."

      cat reviews.txt | undertone predict - --json
    """
    failed = False
    with connect(url, api_key, _ATTEMPTS) as client:
        for entry, result in _answers(client, _input_texts(texts)):
            failed = failed or ("error" in result and not entry.is_blank)
            _print_json(entry, result) if as_json else _print_card(entry.text, result)
    if failed:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _InputText:
    """A text, and which line of standard input it is, if it came from there."""

    text: str
    line: int | None = None

    @property
    def is_blank(self) -> bool:
        """Whether it is an empty line of standard input; an empty argument is an error of its own."""
        return self.line is not None and not has_visible_text(self.text)


def _input_texts(texts: Iterable[str]) -> Iterator[_InputText]:
    """Yield the texts; `-` stands for the lines of standard input."""
    for text in texts:
        if text == "-":
            yield from (_InputText(_decoded(line, number), number) for number, line in enumerate(sys.stdin.buffer, 1))
        else:
            yield _InputText(text)


def _decoded(line: bytes, number: int) -> str:
    """Return a line of standard input as text, without a byte order mark. Raises InvalidInput, naming it."""
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as exc:
        problem = f"line {number} of standard input is not UTF-8 (byte 0x{line[exc.start]:02x})"
        raise InvalidInput(f"{problem}: convert it first, for example by `iconv -f CP1252 -t UTF-8`", "-") from exc


def _answers(client: UndertoneClient, entries: Iterable[_InputText]) -> Iterator[tuple[_InputText, Result]]:
    """Yield every entry with its result, in their order. Blank lines are not sent."""
    waiting: deque[_InputText] = deque()
    for result in client.predict_stream(_texts_to_send(entries, waiting)):
        yield from _blanks(waiting)
        yield waiting.popleft(), _without_place(result)
    yield from _blanks(waiting)


def _without_place(result: Result) -> Result:
    """Return a result whose error speaks of the text, not of its place in what was sent."""
    if "error" not in result:
        return result
    error = {
        name: _PLACE.sub("text", value) if isinstance(value, str) else value for name, value in result["error"].items()
    }
    return cast("Result", {**result, "error": error})


def _texts_to_send(entries: Iterable[_InputText], waiting: deque[_InputText]) -> Iterator[str]:
    """Yield the texts to send, and put every entry into `waiting` for its result."""
    for entry in entries:
        waiting.append(entry)
        if not entry.is_blank:
            yield entry.text


def _blanks(waiting: deque[_InputText]) -> Iterator[tuple[_InputText, Result]]:
    """Take the blank lines that wait next, each with the error that stands for its result."""
    while waiting and waiting[0].is_blank:
        entry = waiting.popleft()
        yield (
            entry,
            {
                "error": {
                    "code": "invalid_input",
                    "message": f"line {entry.line} is empty",
                    "field": "text",
                }
            },
        )


def _print_json(entry: _InputText, result: Result) -> None:
    place = {} if entry.line is None else {"line": entry.line}
    sys.stdout.write(json.dumps({**place, **result}, ensure_ascii=False) + "\n")


def _print_card(text: str, result: Result) -> None:
    console = Console()
    shown = Text(text, overflow="ellipsis", no_wrap=True)
    if "error" in result:
        console.print(Panel(Group(shown, Text(result["error"]["message"], "red")), title="not classified", width=72))
        return
    model, timing = result["model"], result["timing_ms"]["total"]
    footer = Text(f"{model['name']} version {model['version']}, {timing:.1f} ms", "dim")
    if not is_supported(result):
        words = Text(unsupported_words(result.get("language")))
        console.print(Panel(Group(shown, Text(), Text(result["verdict"], "bold"), words, footer), width=72))
        return
    colour = _COLOURS[result["label"]]
    heading = Text.assemble((result["verdict"], f"bold {colour}"), f"   sentiment {result['sentiment']:+.2f}")
    console.print(Panel(Group(shown, Text(), heading, _bars(result["probabilities"]), footer), width=72))


def _bars(probabilities: dict[str, float]) -> Table:
    table = Table.grid(padding=(0, 1))
    for label, probability in probabilities.items():
        filled = round(probability * _BAR_CELLS)
        bar = Text.assemble(("█" * filled, _COLOURS[label]), ("░" * (_BAR_CELLS - filled), "dim"))
        table.add_row(label, bar, f"{probability:6.1%}")
    return table
