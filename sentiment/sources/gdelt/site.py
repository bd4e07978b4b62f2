"""GDELT's files over HTTP: what the newest ones are, and one of them, checked by size, MD5 and content."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, TypeVar

import httpx

from sentiment.errors import Unavailable
from sentiment.sources.gdelt.archive import ArchiveLimits, DamagedArchive, check_archive
from sentiment.sources.gdelt.quarters import FeedFile, NewsFeed
from sentiment.sources.gdelt.service import retry_after_s, said_by
from sentiment.validation_messages import shown

logger = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")
ATTEMPTS: Final = 5
TIMEOUT: Final = httpx.Timeout(30.0)
#: The longest that one file may take.
_FILE_S: Final = 600.0
_LONGEST_PAUSE_S: Final = 60.0
_LISTS: Final = {NewsFeed.ENGLISH: "lastupdate.txt", NewsFeed.TRANSLATED: "lastupdate-translation.txt"}
_LISTED: Final = re.compile(r"(\d{1,12}) ([0-9a-fA-F]{32}) (\S+)", re.ASCII)
_LONGEST_LIST_BYTES: Final = 2**16


class MissingFile(Exception):
    """A file does not exist or stays damaged after all attempts; the message says why."""


class _Failed(Exception):
    """One attempt failed; `is_missing` where the file is at fault, and not the connection."""

    def __init__(self, reason: str, *, is_missing: bool = False, pause_s: float = 0.0) -> None:
        super().__init__(reason)
        self.is_missing, self.pause_s = is_missing, pause_s


@dataclass(frozen=True)
class ListedFile:
    """A file as a list of the newest ones has it."""

    file: FeedFile
    size_bytes: int
    md5: str


@dataclass(frozen=True)
class GdeltSite:
    """The files below the address `base`. Files are asked for there, wherever a list says that they are."""

    client: httpx.AsyncClient
    base: str
    limits: ArchiveLimits = field(default_factory=ArchiveLimits)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def newest(self, feed: NewsFeed) -> ListedFile:
        """Return the newest file of a feed. Raises Unavailable."""
        return await self._persistently(_LISTS[feed], lambda: self._list(feed))

    async def archive(self, file: FeedFile, listed: ListedFile | None = None) -> bytes:
        """Return a file whose size, MD5 (as far as they are known) and content are as they should be.

        Raises:
            MissingFile: it is not there, or damaged.
            Unavailable: nobody answers.
        """
        return await self._persistently(file.name, lambda: self._archive(file.name, listed))

    async def table(self, file: FeedFile, table: str) -> bytes:
        """Return another table of a file's quarter-hour and feed. Raises MissingFile, Unavailable."""
        name = file.name_of(table)
        return await self._persistently(name, lambda: self._archive(name, None))

    async def _persistently(self, name: str, attempt: Callable[[], Awaitable[_Answer]]) -> _Answer:
        for number in range(1, ATTEMPTS + 1):
            try:
                return await attempt()
            except _Failed as exc:
                failure = exc
            logger.warning("%s/%s: %s (attempt %d of %d)", self.base, name, failure, number, ATTEMPTS)
            if number < ATTEMPTS:
                await self.sleep(min(max(2.0**number, failure.pause_s), _LONGEST_PAUSE_S))
        if failure.is_missing:
            raise MissingFile(str(failure))
        raise Unavailable(f"{self.base}/{name} {failure}: the ingest continues once the server works again.")

    async def _list(self, feed: NewsFeed) -> ListedFile:
        content, _ = await self._get(_LISTS[feed], _LONGEST_LIST_BYTES)
        text = content.decode("utf-8", "replace")
        for size, md5, url in _LISTED.findall(text):
            file = FeedFile.of(url.rpartition("/")[2])
            if file is not None and file.feed is feed:
                return ListedFile(file, int(size), md5.lower())
        raise _Failed(f"answers {shown(text.strip()[:200])} instead of a list of files")

    async def _archive(self, name: str, listed: ListedFile | None) -> bytes:
        content, headers = await self._get(name, self.limits.packed)
        if listed is not None and len(content) != listed.size_bytes:
            raise _Failed(f"has {len(content):,} bytes, not {listed.size_bytes:,} as listed", is_missing=True)
        expected_md5 = listed.md5 if listed is not None else _md5_in(headers)
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if expected_md5 is not None and md5 != expected_md5:
            raise _Failed(f"has the MD5 {md5}, not {expected_md5} as listed", is_missing=True)
        try:
            await asyncio.to_thread(check_archive, content, self.limits)
        except DamagedArchive as exc:
            raise _Failed(str(exc), is_missing=True) from exc
        return content

    async def _get(self, name: str, most_bytes: int) -> tuple[bytes, httpx.Headers]:
        """Return the file of a name, with the headers. Raises _Failed, and MissingFile where there is none."""
        try:
            async with asyncio.timeout(_FILE_S), self._opened(name) as response:
                await _require_ok(response)
                content = bytearray()
                async for chunk in response.aiter_raw():
                    content += chunk
                    if len(content) > most_bytes:
                        raise _Failed(f"has more than {most_bytes:,} bytes", is_missing=True)
                return bytes(content), response.headers
        except (httpx.HTTPError, TimeoutError) as exc:
            raise _Failed(f"does not answer ({type(exc).__name__}: {exc})") from exc

    def _opened(self, name: str) -> AbstractAsyncContextManager[httpx.Response]:
        return self.client.stream("GET", f"{self.base}/{name}", headers={"Accept-Encoding": "identity"})


async def _require_ok(response: httpx.Response) -> None:
    if response.status_code == httpx.codes.OK:
        return
    if response.status_code == httpx.codes.NOT_FOUND:
        raise MissingFile("is not there (404)")
    raise _Failed(f"answers {await said_by(response)}", pause_s=retry_after_s(response))


def _md5_in(headers: httpx.Headers) -> str | None:
    """Return the MD5 that Google's storage tells of a file; None where it does not."""
    for each in headers.get("x-goog-hash", "").split(","):
        kind, _, digest = each.strip().partition("=")
        if kind == "md5":
            try:
                return base64.b64decode(digest, validate=True).hex()
            except binascii.Error:
                return None
    return None
