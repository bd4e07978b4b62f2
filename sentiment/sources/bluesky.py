"""Bluesky as a source: all new posts by Jetstream, from where it was, across broken connections."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from sentiment.errors import InvalidInput, Unavailable
from sentiment.sources.jetstream import POSTS, BrokenStream, Notice, PostEvent, event_of, record_of
from sentiment.sources.record import Arrival, Position, Rejected

logger = logging.getLogger(__name__)

ADDRESS: Final = "wss://jetstream.us-east.bsky.network"
_PATH_1: Final = "/subscribe"
_PATH_2: Final = "/xrpc/network.bsky.jetstream.subscribeEvents"
#: Larger events are left out by the server; a post has 300 characters.
_LONGEST_EVENT_BYTES: Final = 1_000_000
_LONGEST_FRAME_BYTES: Final = 2**24
#: How far back another server, or a clock's cursor, begins: what is in flight elsewhere is not lost.
_REWIND_US: Final = 5_000_000
_LONGEST_PAUSE_S: Final = 30.0

#: Opens a stream of frames at an address, which offers the subprotocol if one is given.
Connect = Callable[[str, str | None], AbstractAsyncContextManager[AsyncIterator[str | bytes]]]


class RefusedCursor(Exception):
    """The server has thrown away what stands at the position; never leaves this package."""


@dataclass(frozen=True)
class BlueskySource:
    """Posts as they are written. `address` is a server's, of protocol 1 if it ends in /subscribe.

    `languages` leaves out posts that name none of these codes.
    """

    name: str
    address: str
    languages: frozenset[str]
    now_ms: Callable[[], int]
    connect: Connect
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    @property
    def expected(self) -> None:
        """Nobody knows how many posts will be written."""
        return

    @property
    def _version(self) -> int:
        return 1 if urlsplit(self.address).path.rstrip("/").endswith(_PATH_1) else 2

    async def arrivals(self, position: Position | None) -> AsyncGenerator[Arrival]:
        """Yield posts and deletions behind `position`, or from now on; goes on after each broken connection."""
        failures, by_clock = 0, False
        while True:
            try:
                async with contextlib.aclosing(self._connected(position, by_clock=by_clock)) as arrivals:
                    async for arrival in arrivals:
                        failures, by_clock, position = 0, False, arrival.position
                        yield arrival
                reason = "the server ended the stream"
            except RefusedCursor as exc:
                logger.warning("%s: posts are missing, from %s on: %s", self.name, position, exc)
                by_clock, reason = True, str(exc)
            except (BrokenStream, OSError, Unavailable) as exc:
                reason = str(exc) or type(exc).__name__
            failures += 1
            pause_s = min(2.0 ** (failures - 1), _LONGEST_PAUSE_S)
            logger.warning("%s: %s; connecting again in %g s", self.name, reason, pause_s)
            await self.sleep(pause_s)

    async def _connected(self, position: Position | None, *, by_clock: bool) -> AsyncGenerator[Arrival]:
        subprotocol = "xrpc.v1.json" if self._version == 2 else None
        async with self.connect(self._url(position, by_clock=by_clock), subprotocol) as frames:
            async for frame in frames:
                event = event_of(frame, self._version)
                if isinstance(event, Notice):
                    logger.warning("%s: %s %s", self.name, event.name, event.message)
                    if event.is_broken_frame:
                        yield Arrival(Rejected(event.name, {"frame": event.message}), 0, position or {})
                elif event is not None and not self._is_repeated(event, position):
                    position = {**event.position, "server": self._server}
                    record = record_of(event, self.name, self.languages, self.now_ms())
                    if record is not None:
                        yield Arrival(record, event.position.get("seq", event.seen_us), position)

    def _is_repeated(self, event: PostEvent, position: Position | None) -> bool:
        """Return whether an event was read before: a cursor's own event comes once more."""
        if position is None or position.get("server") != self._server:
            return False
        if self._version == 2:
            return bool("seq" in position and event.position["seq"] <= position["seq"])
        return bool(event.seen_us < position["time_us"])  # two events may be of one microsecond

    @property
    def _server(self) -> str:
        return f"{urlsplit(self.address).netloc}/{self._version}"

    def _url(self, position: Position | None, *, by_clock: bool) -> str:
        base = self.address.rstrip("/")
        names = ("wantedCollections", None) if self._version == 1 else ("collections", "kinds")
        if self._version == 2 and not urlsplit(base).path:
            base += _PATH_2
        query: dict[str, Any] = {names[0]: POSTS, "maxMessageSizeBytes": _LONGEST_EVENT_BYTES}
        if names[1]:
            query[names[1]] = "commit"
        if position and "time_us" in position:
            is_own = position.get("server") == self._server and not by_clock
            own = position.get("seq", position["time_us"])
            query["cursor"] = own if is_own else max(position["time_us"] - _REWIND_US, 0)
        return f"{base}?{urlencode(query)}"


def require_address(address: str) -> str:
    """Return the address of a Jetstream server. Raises InvalidInput."""
    parts = urlsplit(address)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise InvalidInput(
            f"--address {address!r} is not the address of a Jetstream server, such as {ADDRESS}.", "address"
        )
    return address


@contextlib.asynccontextmanager
async def open_websocket(url: str, subprotocol: str | None) -> AsyncIterator[AsyncIterator[str | bytes]]:
    """Open a stream of frames over a web socket.

    Raises:
        InvalidInput: the package for web sockets is not installed.
        RefusedCursor: the server refuses the position.
        Unavailable: it does not answer, or the connection broke.
    """
    try:
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidStatus, WebSocketException
        from websockets.typing import Subprotocol
    except ModuleNotFoundError as exc:
        raise InvalidInput("Bluesky needs the package websockets: pip install 'undertone[serve]'.", "kind") from exc
    offered = [Subprotocol(subprotocol)] if subprotocol else None
    try:
        async with connect(url, subprotocols=offered, max_size=_LONGEST_FRAME_BYTES, compression=None) as socket:
            yield aiter(socket)
    except InvalidStatus as exc:
        body = (exc.response.body or b"")[:200].decode("utf-8", "replace")
        if exc.response.status_code == 400 and "cursor=" in url:
            raise RefusedCursor(body) from exc
        raise Unavailable(f"{urlsplit(url).netloc} answered {exc.response.status_code} {body}") from exc
    except (WebSocketException, TimeoutError) as exc:
        raise Unavailable(f"{urlsplit(url).netloc}: {exc}") from exc
