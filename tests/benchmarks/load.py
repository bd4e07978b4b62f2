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
            status = await _answer(reader)
        except (ConnectionError, asyncio.IncompleteReadError):  # an idle connection may be closed at any time: RFC 9112
            load.reconnected += 1
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(content)
            status = await _answer(reader)
        load.latencies_ms.append((time.perf_counter() - begun) * 1000)
        load.statuses[status] = load.statuses.get(status, 0) + 1
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        await _chunks(reader)
    else:
        length = int(lower.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
    return int(head.split(b" ", 2)[1])


async def _chunks(reader: asyncio.StreamReader) -> None:
    while size := int(await reader.readuntil(b"\r\n"), 16):
        await reader.readexactly(size + 2)
    await reader.readuntil(b"\r\n")
