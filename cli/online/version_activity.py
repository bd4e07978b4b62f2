"""What the registered versions do on the platform that runs: their state, traffic and replicas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from cli.online.connection import connect
from cli.stores.version_tables import Does
from sentiment.errors import UndertoneError
from sentiment.settings import Settings
from serve_app.supervisor import launch

errors = Console(stderr=True, soft_wrap=True)


def what_each_does(settings: Settings, url: str | None, api_key: str | None) -> Does:
    """Return what each version does on the platform at `url`, or the one in home; nothing where none answers."""
    address = url or _address_in(settings)
    if address is None:
        return {}
    try:
        with connect(address, api_key, attempts=1) as client:
            return {(row["name"], row["version"]): row for row in client.models()}
    except UndertoneError as exc:
        errors.print(f"What each version does is not known: {exc}", style="yellow", markup=False, highlight=False)
        return {}


def _address_in(settings: Settings) -> str | None:
    """Return where the platform in home answers, None where none does."""
    seen = launch.read_status(settings)
    return seen.state.addresses["API"] if seen.state and seen.answers else None


def what_it_does_now(does: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a version does now, as far as the registry does not know it."""
    return {name: does[name] for name in ("state", "weight", "replicas", "problem")} if does else {}
