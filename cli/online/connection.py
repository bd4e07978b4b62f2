"""How commands reach the API: two options that all of them share."""

from __future__ import annotations

from typing import Annotated

import typer

from sentiment.client.http import UndertoneClient, url_of
from sentiment.settings import load_settings
from serve_app.supervisor.launch import read_status

Url = Annotated[
    str | None,
    typer.Option("--url", envvar="UNDERTONE_URL", help="Address of the API; the local platform's if left out."),
]
ApiKey = Annotated[
    str | None,
    typer.Option("--api-key", envvar="UNDERTONE_API_KEY", help="Key of the API, needed beyond this machine."),
]


def connect(url: str | None, api_key: str | None, attempts: int) -> UndertoneClient:
    """Return a client of the API at `url`, of the platform that runs in home, or of the one that the settings name."""
    return UndertoneClient(url or _local_url(), api_key, attempts=attempts)


def _local_url() -> str:
    """Return the address of the platform in home as it runs, else as the settings would start it."""
    settings = load_settings()
    status = read_status(settings)  # it may have been started with other ports than the settings'
    api = status.state.addresses.get("API") if status.supervised and status.state else None
    return api or url_of(settings)
