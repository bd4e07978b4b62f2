"""A light HTTP/1.1 load generator: keep-alive connections, one request at a time each, bounded in count.

It shares the machine with what it measures, so it writes bytes itself: a client library costs more than the service.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Load:
    """What a run saw: milliseconds of each answer, statuses, connections closed on it, and its duration in seconds."""

    latencies_ms: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    reconnected: int = 0
    elapsed_s: float = 0.0

    @property
    def rps(self) -> float:
        """Answers a second."""
        return len(self.latencies_ms) / self.elapsed_s

    def percentile_ms(self, percent: int) -> float:
        """A percentile of the latency."""
        return statistics.quantiles(self.latencies_ms, n=100)[percent - 1]


def request(host: str, port: int, path: str, body: object | None = None) -> bytes:
    """Return the bytes of a request: POST with a JSON body, or GET without one."""
    if body is None:
        return f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


async def run_load(host: str, port: int, requests: Sequence[bytes], connections: int) -> Load:
    """Send all requests over `connections` connections, as fast as the answers come."""
    load, remaining = Load(), iter(requests)
    started = time.perf_counter()
    await asyncio.gather(*(_connection(host, port, remaining, load) for _ in range(connections)))
    load.elapsed_s = time.perf_counter() - started
    return load


async def _connection(host: str, port: int, remaining, load: Load) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    for content in remaining:
        begun = time.perf_counter()
        writer.write(content)
        try:
            status, _ = await _answer(reader)
        except (ConnectionError, asyncio.IncompleteReadError):  # an idle connection may be closed at any time: RFC 9112
            load.reconnected += 1
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(content)
            status, _ = await _answer(reader)
        load.latencies_ms.append((time.perf_counter() - begun) * 1000)
        load.statuses[status] = load.statuses.get(status, 0) + 1
    writer.close()


class Connections:
    """Keep-alive connections that are opened as they are needed: for requests that leave at times of their own."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, content: bytes) -> tuple[int, bytes]:
        """Send one request; return the status and the body of its answer.

        Raises:
            OSError: the connection was refused or lost.
            asyncio.IncompleteReadError: the connection ended before the answer did.
        """
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(content)
            answer = await _answer(reader)
        except BaseException:
            writer.close()
            raise
        self._idle.append((reader, writer))
        return answer

    def close(self) -> None:
        """Close what is idle."""
        for _, writer in self._idle:
            writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        body = await _chunks(reader)
    else:
        length = int(lower.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        body = await reader.readexactly(length)
    return int(head.split(b" ", 2)[1]), body


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body
