"""Opens what an ingest asks for: a file, or a source on the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import httpx

from sentiment.errors import InvalidInput
from sentiment.ingest.request import IngestRequest
from sentiment.settings import Settings
from sentiment.sources import ADDRESS, BlueskySource, TextSource, open_websocket, require_address
from sentiment.sources.gdelt.doc_source import DocSource
from sentiment.sources.gdelt.quarters import NewsFeed
from sentiment.sources.gdelt.site import TIMEOUT
from sentiment.sources.gdelt.source import GdeltSource, GdeltSpan

#: Kinds of sources on the network.
BLUESKY: Final = "bluesky"
NETWORK_KINDS: Final = (BLUESKY, "gdelt", "gdelt-doc")
FEEDS: Final = {"english": (NewsFeed.ENGLISH,), "translated": (NewsFeed.TRANSLATED,), "both": tuple(NewsFeed)}
_LONGEST_QUERY: Final = 2000

Client = Callable[[], httpx.AsyncClient]


def http_client() -> httpx.AsyncClient:
    """Return a client for sources: it waits 30 s for an answer, and follows no redirect."""
    return httpx.AsyncClient(timeout=TIMEOUT)


def open_source(
    request: IngestRequest, settings: Settings, now_ms: Callable[[], int], client: Client = http_client
) -> TextSource:
    """Return the source that a request names; a file is looked through before.

    Raises:
        InvalidInput: an option or an address is wrong, or the file is (`sentiment.sources.open_file`).
    """
    if request.kind == BLUESKY:
        address = require_address(request.address or ADDRESS)
        return BlueskySource(request.name, address, frozenset(request.languages or ()), now_ms, open_websocket)
    if request.kind == "gdelt":
        return _feeds(request, settings, now_ms, client)
    if request.kind == "gdelt-doc":
        return _search(request, settings, now_ms, client)
    return request.open_file(now_ms)


def _feeds(request: IngestRequest, settings: Settings, now_ms: Callable[[], int], client: Client) -> GdeltSource:
    feed, (from_ms, to_ms) = request.feed or NewsFeed.ENGLISH.value, request.span_ms
    if feed not in FEEDS:
        raise InvalidInput(f"--feed {feed!r} is not a feed: give {', '.join(FEEDS)}.", "feed")
    span = GdeltSpan(FEEDS[feed], from_ms, to_ms, bool(request.events), bool(request.once))
    return GdeltSource(request.name, settings.gdelt_url.rstrip("/"), span, client, now_ms)


def _search(request: IngestRequest, settings: Settings, now_ms: Callable[[], int], client: Client) -> DocSource:
    query, (from_ms, to_ms) = (request.query or "").strip(), request.span_ms
    if not query or len(query) > _LONGEST_QUERY:
        raise InvalidInput(f"The query has {len(query):,} characters: give 1 to {_LONGEST_QUERY:,}.", "query")
    return DocSource(request.name, query, settings.gdelt_doc_url, from_ms, to_ms, client, now_ms)
