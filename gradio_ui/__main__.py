"""Serve the page until SIGTERM: `python -m gradio_ui`.

The settings say where it listens and which API it uses; UNDERTONE_API_KEY is its key for the API.
"""

from __future__ import annotations

import logging
import signal
import threading
from typing import Annotated

import typer

from gradio_ui.page import build_page, launch
from sentiment.client.http import UndertoneClient, url_of
from sentiment.errors import UndertoneError
from sentiment.settings import Settings, load_settings

logger = logging.getLogger(__name__)

_ATTEMPTS = 3  # a person waits


def main(
    url: Annotated[str | None, typer.Option(envvar="UNDERTONE_URL", help="address of the API")] = None,
    api_key: Annotated[str | None, typer.Option(envvar="UNDERTONE_API_KEY", help="key of the API")] = None,
) -> None:
    """Serve the page; it listens where UNDERTONE_UI_HOST and UNDERTONE_UI_PORT say, and asks for UNDERTONE_UI_LOGIN."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = load_settings()
        client = UndertoneClient(url or url_of(settings), api_key, attempts=_ATTEMPTS)
        page = build_page(client, settings.ui_host, settings.ingest_files or settings.home / "files")
        address = launch(page, settings.ui_host, settings.ui_port, _login(settings))
    except (UndertoneError, OSError) as exc:
        logger.error("the page cannot start: %s", exc)
        raise typer.Exit(1) from exc
    logger.info("the page is at %s and uses the API at %s", address, client.url)
    _wait_for_the_end()
    page.close(verbose=False)
    client.close()


def _login(settings: Settings) -> tuple[str, str] | None:
    """Return user and password if the page asks for them."""
    if settings.ui_login is None:
        return None
    user, _, password = settings.ui_login.get_secret_value().partition(":")
    return user, password


def _wait_for_the_end() -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()


if __name__ == "__main__":
    typer.run(main)
