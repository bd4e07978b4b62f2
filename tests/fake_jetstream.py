"""A Jetstream server as its lexicon has it: events that it keeps, cursors that it takes, connections that break."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sentiment.errors import Unavailable
from sentiment.sources.bluesky import RefusedCursor

AUTHOR = "did:plc:eygmaihciaxprqvxpfvl6flk"
POST = {"$type": "app.bsky.feed.post", "text": "hello world", "createdAt": "2026-09-11T12:00:00Z", "langs": ["en"]}
BEGAN_US = 1_789_128_000_123_456


def commit_1(time_us: int, key: str, operation: str = "create", post: dict[str, Any] | None = None) -> str:
    """Return a frame of protocol 1."""
    commit = {"rev": "3lrev1", "operation": operation, "collection": "app.bsky.feed.post", "rkey": key}
    whole = commit if operation == "delete" else {**commit, "record": post or POST, "cid": "bafyreic"}
    return json.dumps({"did": AUTHOR, "time_us": time_us, "kind": "commit", "commit": whole})


def commit_2(
    seq: int, key: str, operation: str = "create", post: dict[str, Any] | None = None, time_us: int = BEGAN_US
) -> str:
    """Return a frame of protocol 2."""
    seen = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    kind = "network.bsky.jetstream.subscribeEvents#commit"
    commit = {"$type": kind, "seq": seq, "did": AUTHOR, "time": seen, "witnessedAt": seen, "rev": "3lrev1"}
    commit |= {"operation": operation, "collection": "app.bsky.feed.post", "rkey": key}
    payload = commit if operation == "delete" else {**commit, "cid": "bafyreic", "record": post or POST}
    return json.dumps({"$type": "message", "payload": payload})


def info_2(name: str, message: str) -> str:
    """Return a frame of protocol 2 about the stream itself."""
    kind = "network.bsky.jetstream.subscribeEvents#info"
    return json.dumps({"$type": "message", "payload": {"$type": kind, "name": name, "message": message}})


@dataclass
class FakeJetstream:
    """Serves `events` as (key, operation, text), the n-th with sequence number n and n seconds after the beginning.

    Each connection ends after so many frames as `lengths` says for it, the last entry for all that follow. What is
    older than `oldest` was thrown away. `raw` are frames that come first, on each connection.
    """

    events: list[tuple[str, str, str]]
    lengths: list[int] = field(default_factory=lambda: [1000])
    oldest: int = 1
    raw: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)

    def frames(self, url: str) -> list[str]:
        """Return the frames of a connection. Raises RefusedCursor."""
        self.urls.append(url)
        version = 1 if urlsplit(url).path.endswith("/subscribe") else 2
        first = self._first(parse_qs(urlsplit(url).query).get("cursor", ["1"])[0], version)
        length = self.lengths[min(len(self.urls), len(self.lengths)) - 1]
        return [*self.raw, *(self._frame(number, version) for number in range(first, len(self.events) + 1))][:length]

    def _first(self, cursor: str, version: int) -> int:
        is_clock = version == 1 or int(cursor) >= 10**15
        first = -((BEGAN_US - int(cursor)) // 1_000_000) if is_clock and cursor != "1" else int(cursor)
        if first < self.oldest and not is_clock:
            raise RefusedCursor(f"CursorTooOld: the oldest is {self.oldest}")
        return max(first, self.oldest)

    def _frame(self, number: int, version: int) -> str:
        key, operation, text = self.events[number - 1]
        time_us, post = BEGAN_US + number * 1_000_000, {**POST, "text": text}
        if version == 1:
            return commit_1(time_us, key, operation, post)
        return commit_2(number, key, operation, post, time_us)

    @asynccontextmanager
    async def connect(self, url: str, subprotocol: str | None) -> AsyncIterator[AsyncIterator[str | bytes]]:
        """Open a stream as a web socket does, in this process; behind its frames the connection breaks."""
        assert subprotocol == (None if "/subscribe?" in url else "xrpc.v1.json")
        yield self._stream(self.frames(url))

    async def _stream(self, frames: list[str]) -> AsyncIterator[str | bytes]:
        for frame in frames:
            yield frame
        raise Unavailable("the connection broke")
