"""Ingests as the HTTP routes call them: off the event loop, and with files of one folder only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sentiment.errors import Conflict, InvalidInput
from sentiment.ingest import NETWORK_KINDS, IngestRequest
from sentiment.ingest.request import with_fields
from serve_app.ingest.ledger import DesiredState, IngestLedger


@dataclass(frozen=True)
class Ingests:
    """The platform's ingests. A caller may name files in the folder `files`, and no others of this machine."""

    ledger: IngestLedger
    files: Path

    async def start(self, request: IngestRequest, *, restart: bool) -> tuple[dict[str, Any], bool]:
        """Start an ingest, or let it go on; return it, and whether it is new. Raises InvalidInput, Conflict."""
        with _naming_fields():
            return await asyncio.to_thread(self._start, request, restart=restart)

    async def command(self, name: str, desired: DesiredState) -> dict[str, Any]:
        """Start, pause or stop an ingest and return it. Raises NotFound."""
        with _naming_fields():
            await asyncio.to_thread(self.ledger.command, name, desired)
        return await self.get(name)

    async def get(self, name: str) -> dict[str, Any]:
        """Return one ingest. Raises NotFound."""
        with _naming_fields():
            return await asyncio.to_thread(self.ledger.view, name)

    async def all(self) -> list[dict[str, Any]]:
        """Return all ingests, by name."""
        return await asyncio.to_thread(self.ledger.views)

    def _start(self, request: IngestRequest, *, restart: bool) -> tuple[dict[str, Any], bool]:
        _ = request.limits, request.span_ms  # a wrong speed or time is refused now, not by the worker later
        is_new = self.ledger.start(self._located(request), restart=restart)
        return self.ledger.view(request.name), is_new

    def _located(self, request: IngestRequest) -> IngestRequest:
        """Return a request with its file's path; a source on the network has no file. Raises InvalidInput."""
        if request.kind not in NETWORK_KINDS:
            return replace(request, file=str(self._file(request.file)))
        if request.file is not None:
            raise InvalidInput(f"file: an ingest of the kind {request.kind} reads no file: leave it out", "file")
        if (request.kind == "gdelt-doc") != bool(request.query):
            raise InvalidInput("query: the kind gdelt-doc needs one, the other kinds take none", "query")
        return request

    def _file(self, name: str | None) -> Path:
        """Return a file of the folder. Raises InvalidInput for any other, and does not reveal whether it exists."""
        folder = self.files.resolve()
        path = (folder / (name or "")).resolve()
        if not name or not path.is_relative_to(folder) or not path.is_file():
            raise InvalidInput(
                f"file: there is no {name or ''!r} in the folder of files that may be ingested: put it there, or set "
                "UNDERTONE_INGEST_FILES to another folder",
                "file",
            )
        return path


@contextmanager
def _naming_fields() -> Iterator[None]:
    """Let messages of the ingest package, which name options of the command line, name the API's fields."""
    try:
        yield
    except (Conflict, InvalidInput) as exc:
        raise type(exc)(with_fields(str(exc)), exc.field) from exc
