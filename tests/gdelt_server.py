"""GDELT's files as they lie on its server: lists of the newest, archives of quarter-hours, and what may go wrong."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

import httpx

BASE: Final = "http://gdelt.example/gdeltv2"


@dataclass(frozen=True)
class Served:
    """One answer. Over a real connection only `sent` bytes of the body leave, where that is given."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    sent: int | None = None


def not_found() -> Served:
    return Served(b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", 404)


@dataclass
class GdeltFiles:
    """What is served by name. `failures` come first, in their order; `asked` are the names that were asked for."""

    files: dict[str, Served] = field(default_factory=dict)
    failures: dict[str, list[Served]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add(self, stamp: str, *rows: str, feed: str = "") -> bytes:
        """Serve a quarter-hour, and list it as the newest of its feed (`` or `.translation`)."""
        name = f"{stamp}{feed}.gkg.csv.zip"
        archive = zipped("\n".join(rows) + "\n" if rows else "", name.removesuffix(".zip"))
        md5 = base64.b64encode(hashlib.md5(archive).digest()).decode()
        self.files[name] = Served(archive, headers={"x-goog-hash": f"crc32c=AAAAAA==,md5={md5}"})
        self.list(name, archive, feed)
        return archive

    def list(self, name: str, archive: bytes, feed: str = "", md5: str | None = None) -> None:
        """List an archive as the newest."""
        stamp = name.partition(".")[0]
        md5 = md5 or hashlib.md5(archive).hexdigest()
        lines = [
            f"4711 {'0' * 32} http://data.gdeltproject.org/gdeltv2/{stamp}{feed}.export.CSV.zip",
            f"4711 {'0' * 32} http://data.gdeltproject.org/gdeltv2/{stamp}{feed}.mentions.CSV.zip",
            f"{len(archive)} {md5} http://data.gdeltproject.org/gdeltv2/{name}",
        ]
        listing = f"lastupdate{feed.replace('.', '-')}.txt"
        self.files[listing] = Served("\n".join(lines).encode() + b"\n")

    def answer(self, path: str) -> Served:
        """Return what is served at a path."""
        name = path.rpartition("/")[2]
        self.asked.append(name)
        if waiting := self.failures.get(name):
            return waiting.pop(0)
        return self.files.get(name, not_found())

    def client(self) -> httpx.AsyncClient:
        """Return a client that reaches this and nothing else."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self._respond))

    def _respond(self, request: httpx.Request) -> httpx.Response:
        served = self.answer(request.url.path)
        if served.sent is not None:
            raise httpx.RemoteProtocolError("peer closed connection", request=request)
        return httpx.Response(served.status, headers=served.headers, stream=_Body(served.body))


class _Body(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> Any:
        for start in range(0, len(self._body), 1000):
            yield self._body[start : start + 1000]


def zipped(content: str | bytes, name: str = "a.gkg.csv", level: int = 9) -> bytes:
    """Return an archive with one file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        archive.writestr(name, content)
    return file.getvalue()


@contextmanager
def served(answer: Callable[[str], Served]) -> Iterator[str]:
    """Serve over real connections, and give the address; an answer that is cut off ends its connection."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = answer(self.path)
            self.send_response(found.status)
            for header in {"Content-Length": str(len(found.body)), **found.headers}.items():
                self.send_header(*header)
            self.end_headers()
            self.wfile.write(found.body if found.sent is None else found.body[: found.sent])
            self.close_connection = found.sent is not None

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
