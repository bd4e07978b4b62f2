"""GDELT's DOC 2.0 service: lists of articles by search, at most 250 an answer and one request in five seconds."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from sentiment.errors import InvalidInput, Unavailable
from sentiment.sources.gdelt.quarters import stamp_of
from sentiment.sources.gdelt.service import retry_after_s, words_of

logger = logging.getLogger(__name__)

#: Articles in one answer; there may be more where it has so many.
MOST_ARTICLES: Final = 250
REQUEST_EVERY_S: Final = 5.0
ATTEMPTS: Final = 4
_LONGEST_PAUSE_S: Final = 60.0
_MOST_BYTES: Final = 16 * 2**20
_ANSWER_S: Final = 120.0
#: What the service says to who asks too often, also with status 200.
_TOO_OFTEN: Final = re.compile(r"limit (your )?requests|too many requests|rate limit", re.IGNORECASE)
_BAD_ESCAPE: Final = re.compile(r'\\(?:(["\\/bfnrt]|u[0-9a-fA-F]{4})|)')
_ARTICLE: Final = re.compile(r'\{\s*"url"')


@dataclass(frozen=True)
class ArticleList:
    """What one answer holds: articles as the service writes them, and texts that are broken."""

    articles: tuple[dict[str, Any], ...]
    broken: tuple[str, ...] = ()

    @property
    def is_full(self) -> bool:
        """Whether there may be more than it shows."""
        return len(self.articles) + len(self.broken) >= MOST_ARTICLES


class _Refused(Exception):
    """One attempt gave nothing. `is_query` where the query seems to be the cause."""

    def __init__(self, reason: str, *, is_query: bool = False, pause_s: float = 0.0) -> None:
        super().__init__(reason)
        self.is_query, self.pause_s = is_query, pause_s


@dataclass(eq=False)
class DocService:
    """The service at `address`. Requests are at least five seconds apart."""

    client: httpx.AsyncClient
    address: str
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock_s: Callable[[], float] = time.monotonic
    _next_s: float = field(default=0.0, init=False)

    async def articles(self, query: str, from_ms: int, to_ms: int) -> ArticleList:
        """Return articles that the service has seen from `from_ms` to `to_ms`, both included, oldest first.

        Raises:
            InvalidInput: the service does not take the query; the message has its words.
            Unavailable: it does not answer, or not with articles.
        """
        parameters = {
            "query": query,
            "mode": "artlist",
            "format": "json",
            "maxrecords": str(MOST_ARTICLES),
            "sort": "dateasc",
            "startdatetime": stamp_of(from_ms),
            "enddatetime": stamp_of(to_ms),
        }
        for number in range(1, ATTEMPTS + 1):
            try:
                return _read(await self._get(parameters), is_last=number == ATTEMPTS)
            except _Refused as exc:
                failure = exc
            logger.warning("%s answers %s (attempt %d of %d)", self.address, failure, number, ATTEMPTS)
            if number < ATTEMPTS:
                await self.sleep(min(max(REQUEST_EVERY_S * 2 ** (number - 1), failure.pause_s), _LONGEST_PAUSE_S))
        if failure.is_query:
            raise InvalidInput(f"GDELT refuses the query {query!r}, with {failure}: change the query.", "query")
        raise Unavailable(
            f"{self.address} answers {failure}: the ingest continues where it was once the service answers again."
        )

    async def _get(self, parameters: dict[str, str]) -> bytes:
        await self._turn()
        try:
            async with (
                asyncio.timeout(_ANSWER_S),
                self.client.stream("GET", self.address, params=parameters) as response,
            ):
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise _Refused(f"more than {_MOST_BYTES:,} bytes")
        except (httpx.HTTPError, TimeoutError) as exc:
            raise _Refused(f"nothing ({type(exc).__name__}: {exc})") from exc
        if response.status_code != httpx.codes.OK:
            is_query = response.status_code in (400, 404, 414, 422)
            words = f"{response.status_code}: {words_of(bytes(body))}"
            raise _Refused(words, is_query=is_query, pause_s=retry_after_s(response))
        return bytes(body)

    async def _turn(self) -> None:
        """Wait until the next request may be sent."""
        wait_s = self._next_s - self.clock_s()
        if wait_s > 0:
            await self.sleep(wait_s)
        self._next_s = max(self._next_s, self.clock_s()) + REQUEST_EVERY_S


def _read(body: bytes, *, is_last: bool) -> ArticleList:
    """Return what an answer holds; of broken JSON, at the last attempt, whatever can be read. Raises _Refused."""
    text = body.decode("utf-8", "replace").strip().removeprefix("\ufeff")
    if not text.startswith("{"):
        words = words_of(body) or "with an empty page"
        raise _Refused(words, is_query=bool(text) and not _TOO_OFTEN.search(text))
    try:
        return _listed(json.loads(_BAD_ESCAPE.sub(_mended, text), strict=False))
    except ValueError as exc:
        if is_last and _ARTICLE.search(text):
            return _salvaged(text)
        raise _Refused(f"broken JSON ({exc})") from exc


def _mended(escape: re.Match[str]) -> str:
    """Return an escape that JSON knows as it is, and write out the backslash of any other."""
    return escape[0] if escape[1] else "\\\\"


def _listed(answer: Any) -> ArticleList:
    listed = answer.get("articles", [])
    if not isinstance(listed, list):
        raise ValueError("articles is not a list")  # noqa: TRY004 - as for other broken JSON
    articles = tuple(each for each in listed if isinstance(each, dict))
    return ArticleList(articles, tuple(json.dumps(each) for each in listed if not isinstance(each, dict)))


def _salvaged(text: str) -> ArticleList:
    decoder = json.JSONDecoder(strict=False)
    articles, broken = [], []
    starts = [match.start() for match in _ARTICLE.finditer(text)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        try:
            articles.append(decoder.raw_decode(_BAD_ESCAPE.sub(_mended, text[start:end]))[0])
        except ValueError:
            broken.append(text[start:end])
    return ArticleList(tuple(articles), tuple(broken))
