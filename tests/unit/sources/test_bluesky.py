"""Bluesky as a source: nothing is lost or comes twice, whatever breaks, and a server that has forgotten says so."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment.errors import InvalidInput
from sentiment.sources import ADDRESS, BlueskySource, Position, Rejected, SourceDeletion, SourceText, require_address
from tests.fake_jetstream import BEGAN_US, FakeJetstream

EVENTS = [(f"k{n}", "create", f"post {n}") for n in range(1, 21)]
V1 = "wss://jetstream1.us-east.bsky.network/subscribe"


def source_of(server: FakeJetstream, address: str = ADDRESS, pauses: list[float] | None = None) -> BlueskySource:
    async def sleep(seconds: float) -> None:
        if pauses is not None:
            pauses.append(seconds)
        await asyncio.sleep(0)

    return BlueskySource("sky", address, frozenset(), lambda: 1_790_000_000_000, server.connect, sleep)


async def read(
    source: BlueskySource, count: int, position: Position | None = None, until: str | None = None
) -> tuple[list[str], Position]:
    """Return the texts of so many arrivals, or until one of them comes, and the position behind them."""
    texts: list[str] = []
    async with aclosing(source.arrivals(position)) as arrivals:
        async for arrival in arrivals:
            texts.append(getattr(arrival.record, "text", arrival.record.__class__.__name__))
            if len(texts) == count or texts[-1] == until:
                return texts, arrival.position
    raise AssertionError("a stream has no end")


POSTS = [text for _, _, text in EVENTS]


@pytest.mark.parametrize("address", [ADDRESS, V1])
@given(lengths=st.lists(st.integers(0, 5), max_size=10))
@settings(max_examples=30, deadline=None)
async def test_however_connections_break_each_post_comes_and_in_order(address, lengths):
    server = FakeJetstream(EVENTS, lengths=[*lengths, 1000])
    texts, _ = await read(source_of(server, address), 1000, until=POSTS[-1])
    assert list(dict.fromkeys(texts)) == POSTS
    assert address == V1 or texts == POSTS, "protocol 2 names its events; of protocol 1 the last one may come again"


@pytest.mark.parametrize("address", [ADDRESS, V1])
async def test_it_goes_on_behind_each_position(address):
    for count in (1, 7, 19):
        first, position = await read(source_of(FakeJetstream(EVENTS), address), count)
        rest, _ = await read(source_of(FakeJetstream(EVENTS), address), 20 - count + (address == V1), position)
        assert list(dict.fromkeys(first + rest)) == POSTS


async def test_without_a_position_it_asks_for_none_and_for_posts_only():
    server = FakeJetstream(EVENTS)
    await read(source_of(server), 1)
    await read(source_of(server, V1), 1)
    second, first = server.urls
    assert second.startswith(f"{ADDRESS}/xrpc/network.bsky.jetstream.subscribeEvents?collections=app.bsky.feed.post&")
    assert "kinds=commit" in second
    assert first.startswith(f"{V1}?wantedCollections=app.bsky.feed.post&")
    assert not [url for url in server.urls if "cursor" in url]


async def test_another_server_is_asked_by_the_clock_some_seconds_back():
    _, position = await read(source_of(FakeJetstream(EVENTS)), 10)
    other = FakeJetstream(EVENTS)
    texts, _ = await read(source_of(other, "wss://jetstream.us-west.bsky.network"), 1, position)
    assert f"cursor={BEGAN_US + 5_000_000}" in other.urls[0]
    assert texts == ["post 5"], "nothing is lost; what comes again is the same text under the same id"


async def test_a_server_that_has_thrown_away_the_position_is_asked_by_the_clock(caplog):
    _, position = await read(source_of(FakeJetstream(EVENTS)), 3)
    server = FakeJetstream(EVENTS, oldest=12)
    texts, _ = await read(source_of(server), 2, position)
    assert texts == ["post 12", "post 13"]
    assert "posts are missing" in caplog.text
    assert "CursorTooOld" in caplog.text


async def test_pauses_grow_until_a_post_comes_and_then_begin_anew():
    pauses: list[float] = []
    await read(source_of(FakeJetstream(EVENTS, lengths=[0] * 7 + [2, 0, 1000]), pauses=pauses), 5)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 1, 2]


async def test_deletions_come_in_their_place_and_broken_frames_are_set_aside():
    events = [("k1", "create", "one"), ("k1", "delete", ""), ("k2", "update", "two")]
    records = []
    async with aclosing(source_of(FakeJetstream(events, raw=["no json"])).arrivals(None)) as arrivals:
        async for arrival in arrivals:
            records.append(arrival.record)
            if len(records) == 4:
                break
    broken, created, deleted, edited = records
    assert isinstance(broken, Rejected)
    assert isinstance(created, SourceText)
    assert deleted == SourceDeletion(created.id)
    assert edited.is_revision


@pytest.mark.parametrize("address", ["https://bsky.app", "jetstream", "wss://", ""])
def test_what_is_no_address_of_a_web_socket_is_refused_with_an_example(address):
    with pytest.raises(InvalidInput, match="is not the address of a Jetstream server, such as wss://"):
        require_address(address)
