"""`undertone models list`: the versions in the registry."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

import typer
from rich.console import Console
from rich.table import Table

from cli.platform import Home, Json
from sentiment.registry import RegisteredVersion, Registry
from sentiment.settings import load_settings
from serve_app import launch

app = typer.Typer(help="Look at the registered model versions.", no_args_is_help=True)
console = Console(soft_wrap=True)


@app.callback()
def models() -> None:
    """Look at the registered model versions."""


@app.command("list")
def show(home: Home = None, as_json: Json = False) -> None:
    """List the registered versions of the model that is served, oldest first.

    Example: undertone models list
    """
    settings = load_settings(home=home)
    state = launch.look(settings).state
    uri = settings.tracking_uri or (state.addresses["MLflow"] if state else settings.registry_uri)
    versions = Registry(uri).versions(settings.model_name)
    if as_json:
        console.print_json(json.dumps([asdict(version) for version in versions]))
        return
    console.print(_table(versions) if versions else f"No version of {settings.model_name} is registered.")


def _table(versions: list[RegisteredVersion]) -> Table:
    table = Table("Model", "Version", "Aliases", "Origin", "Registered", "Digest", box=None, padding=(0, 2, 0, 0))
    for version in versions:
        made = datetime.fromtimestamp(version.created_at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
        aliases = ", ".join(version.aliases)
        table.add_row(version.name, str(version.version), aliases, version.origin, made, version.digest[:12])
    return table
