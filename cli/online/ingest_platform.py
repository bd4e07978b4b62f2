"""`undertone ingest list|start|pause|stop`: the ingests that the platform runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.online.connection import ApiKey, Url, connect
from cli.online.ingest_run import run
from cli.options import Json
from cli.terminal import print_table
from sentiment.ingest import IngestRequest, require_name

console = Console(soft_wrap=True)

_ATTEMPTS: Final = 3  # a person waits
_Named = Annotated[str, typer.Argument(help="Name of the ingest.")]
_COUNTS: Final = ("read", "kept", "folded", "rejected", "corrected")


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("list")(show)
    app.command("start")(start)
    app.command("pause")(pause)
    app.command("stop")(stop)


def carry_out(
    request: IngestRequest, url: str | None, api_key: str | None, *, restart: bool, background: bool, as_json: bool
) -> None:
    """Run an ingest here, or have the platform run it in the `background`.

    Raises:
        InvalidInput: the name, the speed or a time is wrong.
        Exit: with status 1, nothing of what was read could be kept.
    """
    if background:
        _start_in_platform(request, url, api_key, restart=restart, as_json=as_json)
    else:
        run(request, url, api_key, restart=restart, as_json=as_json)


def _start_in_platform(
    request: IngestRequest, url: str | None, api_key: str | None, *, restart: bool, as_json: bool
) -> None:
    _ = (require_name(request.name), request.limits, request.span_ms)  # refused here by option, not there by field
    with connect(url, api_key, _ATTEMPTS) as client:
        _say(client.start_ingest({**request.plain(), "restart": restart}), as_json=as_json)


def show(url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """List the ingests: how each is, and what it has counted.

    Example: undertone ingest list
    """
    with connect(url, api_key, _ATTEMPTS) as client:
        ingests = client.ingests()
    if as_json:
        console.print_json(json.dumps(ingests))
    elif ingests:
        print_table(console, _table(ingests))
    else:
        console.print("There are no ingests yet. Start one: undertone ingest csv FILE --name NAME")


def start(name: _Named, url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Let an ingest continue where it was, whether it is paused, stopped, failed or finished."""
    _command(name, "start", url, api_key, as_json=as_json)


def pause(name: _Named, url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Pause an ingest; undertone ingest start NAME continues it."""
    _command(name, "pause", url, api_key, as_json=as_json)


def stop(name: _Named, url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Stop an ingest; the texts that it has sent stay."""
    _command(name, "stop", url, api_key, as_json=as_json)


def _command(name: str, command: str, url: str | None, api_key: str | None, *, as_json: bool) -> None:
    with connect(url, api_key, _ATTEMPTS) as client:
        _say(client.command_ingest(name, command), as_json=as_json)


def _say(ingest: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        console.print_json(json.dumps(ingest))
    else:
        print_table(console, _table([ingest]))


def _table(ingests: list[Mapping[str, Any]] | list[dict[str, Any]]) -> Table:
    table = Table("Name", "Kind", "State", *(count.capitalize() for count in _COUNTS), box=None, padding=(0, 2, 0, 0))
    for ingest in ingests:
        counts = (f"{ingest[count]:,}" for count in _COUNTS)
        table.add_row(escape(ingest["name"]), escape(ingest["kind"]), escape(_state(ingest)), *counts)
    return table


def _state(ingest: Mapping[str, Any]) -> str:
    by = " (command line)" if ingest["by"] == "command" else ""
    problem = f": {ingest['problem']}" if ingest.get("problem") else ""
    return f"{ingest['state']}{by}{problem}"
