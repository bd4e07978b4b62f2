"""The state, traffic and replicas of the registered versions on the running platform."""

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
    """Return the state of each version on the platform at `url`, or the one in home; empty where none answers."""
    address = url or _address_in(settings)
    if address is None:
        return {}
    try:
        with connect(address, api_key, attempts=1) as client:
            return {(row["name"], row["version"]): row for row in client.models()}
    except UndertoneError as exc:
        message = f"The platform does not report the state of its versions: {exc}"
        errors.print(message, style="yellow", markup=False, highlight=False)
        return {}


def _address_in(settings: Settings) -> str | None:
    """Return the address of the platform in home, None where none answers."""
    status = launch.read_status(settings)
    return status.state.addresses["API"] if status.state and status.answers else None


def what_it_does_now(does: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the fields of a version's state that the registry does not have."""
    return {name: does[name] for name in ("state", "weight", "replicas", "problem")} if does else {}
