"""What a refusing HTTP service says: when to ask again, and the reason in its own words."""

from __future__ import annotations

import re
from typing import Final

import httpx

from sentiment.validation_messages import shown

_MARKUP: Final = re.compile(r"<[^>]*>")
_WORDS_CHARACTERS: Final = 200
_LOOKED_AT_BYTES: Final = 4096


async def said_by(response: httpx.Response) -> str:
    """Return the status of an answer and the first words of its body, which is read no further."""
    body = b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) >= _LOOKED_AT_BYTES:
            break
    return f"{response.status_code}{f': {words}' if (words := words_of(body)) else ''}"


def words_of(body: bytes) -> str:
    """Return the first words of a page or a text, quoted; empty where there are none."""
    text = " ".join(_MARKUP.sub(" ", body[:_LOOKED_AT_BYTES].decode("utf-8", "replace")).split())
    return shown(text[:_WORDS_CHARACTERS]) if text else ""


def retry_after_s(response: httpx.Response) -> float:
    """Return the pause that an answer asks for, in seconds; 0 where it asks for none."""
    seconds = response.headers.get("Retry-After", "")
    return float(seconds) if re.fullmatch(r"\d{1,6}", seconds, re.ASCII) else 0.0
