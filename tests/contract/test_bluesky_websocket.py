"""Bluesky over a real web socket on loopback: the fake Jetstream's frames, connections that break, cursors refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

import pytest
from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.typing import Subprotocol

from sentiment.errors import Unavailable
from sentiment.ingest import Ingest, IngestLimits, IngestTotals, open_checkpoint
from sentiment.sources import BlueskySource, open_websocket
from sentiment.sources.bluesky import RefusedCursor
from tests.fake_jetstream import FakeJetstream
from tests.unit.ingest.fake_delivery import FakeDelivery

EVENTS = [(f"k{n}", "create", f"post {n}") for n in range(1, 41)]


@asynccontextmanager
async def serving(server: FakeJetstream) -> AsyncIterator[str]:
    """Serve the fake's frames on a free port of loopback, and break off behind them; give the address."""
    frames: dict[ServerConnection, list[str]] = {}

    def admit(connection: ServerConnection, request: Request) -> Response | None:
        try:
            frames[connection] = server.frames(f"ws://here{request.path}")
        except RefusedCursor as exc:
            return connection.respond(HTTPStatus.BAD_REQUEST, str(exc))
        return None

    def choose(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return offered[0] if offered else None

    async def handle(connection: ServerConnection) -> None:
        for frame in frames.pop(connection):
            await connection.send(frame)
        connection.transport.abort() if server.lengths[-1] < 1000 else await connection.wait_closed()

    async with serve(handle, "127.0.0.1", 0, process_request=admit, select_subprotocol=choose) as listening:
        yield f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


def source_of(address: str) -> BlueskySource:
    async def sleep(_: float) -> None:
        await asyncio.sleep(0.01)

    return BlueskySource("sky", address, frozenset(), lambda: 1_790_000_000_000, open_websocket, sleep)


async def ingest(tmp_path, address: str, delivery: FakeDelivery, records: int) -> IngestTotals:
    with open_checkpoint(tmp_path, "sky", {}) as checkpoint:
        limits = IngestLimits(batch_rows=3, linger_s=0.01, records=records)
        return await Ingest(source_of(address), delivery, checkpoint, limits).run()


@pytest.mark.parametrize("path", ["", "/subscribe"])
async def test_posts_reach_the_platform_once_through_broken_connections_and_restarts(tmp_path, path):
    events = [*EVENTS, ("k1", "delete", ""), ("k2", "update", "edited")]
    delivery = FakeDelivery()
    async with serving(FakeJetstream(events, lengths=[9])) as address:
        for records in (20, 60 if path else 42):
            with suppress(TimeoutError):  # protocol 1 repeats some, so that the last one ends the wait
                async with asyncio.timeout(2):
                    totals = await ingest(tmp_path, address + path, delivery, records)
    assert len(delivery.kept) == 39
    assert {text.text for text in delivery.kept.values()} == {"edited", *(f"post {n}" for n in range(3, 41))}
    assert path or (totals.kept, totals.deleted, totals.repeated) == (40, 1, 1)


async def test_a_refused_cursor_and_a_server_that_is_away_are_told_apart():
    async with serving(FakeJetstream(EVENTS, oldest=30)) as address:
        with pytest.raises(RefusedCursor, match="the oldest is 30"):
            async with open_websocket(f"{address}/xrpc/x?cursor=3", "xrpc.v1.json"):
                pass
    with pytest.raises((Unavailable, OSError)):
        async with open_websocket(address, None):
            pass
