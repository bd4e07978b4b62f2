"""The demonstration for a platform that has hardly any texts: the stream of the tab *Live*, at full speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from gradio_ui.tabs.live.streams import DEMO, StreamRequest, ingest_of, start
from sentiment.client.http import UndertoneClient
from sentiment.errors import Unavailable

_LONGEST_LOOKS: Final = 360
_LOOK_S: Final = 0.5


def load_demo(
    client: UndertoneClient, folder: Path, sleep: Callable[[float], None] = time.sleep
) -> Iterator[tuple[str, int, int]]:
    """Start the demonstration and wait until it can be searched; yield its name, the texts kept, and of how many.

    Args:
        client: the platform's API.
        folder: where the platform looks for files.
        sleep: waits between two looks.

    Raises:
        UndertoneError: the platform does not take it, or it has failed or takes minutes.
    """
    name = str(start(client, folder, StreamRequest(DEMO))["name"])
    for _ in range(_LONGEST_LOOKS):
        ingest = ingest_of(client.ingests(), name)
        if ingest is not None:
            if ingest["state"] == "failed":
                raise Unavailable(f"the demonstration failed: {ingest['problem']}")
            yield name, ingest["kept"], ingest["expected"] or ingest["kept"]
            if ingest["state"] == "finished" and _searchable(client, name) >= ingest["kept"]:
                return
        sleep(_LOOK_S)
    raise Unavailable("the demonstration takes long: look at it on the tab Live, and search again later")


def _searchable(client: UndertoneClient, name: str) -> int:
    return int(client.insights("timeline", [("q", f'source:"{name}"')])["total"])
