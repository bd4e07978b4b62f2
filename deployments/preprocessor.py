"""The Preprocessor deployment: normalises, masks and hashes texts before anything of them is stored; no model."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Final

from ray import serve

from deployments.logs import log_with_serve
from sentiment.access.secret import secret_of
from sentiment.errors import ModelRejected
from sentiment.priority import rise
from sentiment.records import CleanText, RawText
from sentiment.settings import Settings, load_settings
from sentiment.text import CURRENT_NORMALIZER, NORMALIZERS, hashtags, keyed_digest, near_duplicate_key
from sentiment.validation_messages import listed

MAX_TOPICS: Final = 20
_CONTROL = re.compile(r"[\x00\ud800-\udfff]")


def clean(raw: RawText, normalizer: str, secret: bytes, *, keep_raw: bool = False) -> CleanText:
    """Return `raw` cleaned: the text by the named normaliser, but stored text, keys and topics by the current one.

    Topics are those of `raw` and the hashtags. A text that the current normaliser leaves empty is empty for all.

    Raises:
        ModelRejected: this code has no normaliser of that name.
    """
    if normalizer not in NORMALIZERS:
        raise ModelRejected(
            f"this release has no normaliser {normalizer!r}, only {listed(sorted(NORMALIZERS))}: serve the version "
            "with the release that trained it, or a newer one"
        )
    masked = NORMALIZERS[CURRENT_NORMALIZER](raw.text)
    return CleanText(
        text=masked if normalizer == CURRENT_NORMALIZER or not masked else NORMALIZERS[normalizer](raw.text),
        stored_text=_CONTROL.sub("\ufffd", raw.text) if keep_raw else masked,
        text_key=keyed_digest(secret, raw.text),
        near_key=near_duplicate_key(masked),
        author_key=keyed_digest(secret, raw.author) if raw.author else None,
        topics=_topics(raw.topics, masked),
    )


def cleaner_of(settings: Settings) -> Callable[[RawText, str], CleanText]:
    """Return `clean` bound to the secret and options of these settings."""
    secret, keep_raw = secret_of(settings), settings.store_raw_text
    return lambda raw, normalizer: clean(raw, normalizer, secret, keep_raw=keep_raw)


def _topics(topics: tuple[str, ...], text: str) -> tuple[str, ...]:
    folded = (topic.casefold() for topic in (*topics, *hashtags(text)))
    return tuple(dict.fromkeys(folded))[:MAX_TOPICS]


@serve.deployment(
    name="Preprocessor",
    max_ongoing_requests=64,
    graceful_shutdown_timeout_s=10,
    logging_config={"enable_access_log": False},  # a line a call costs more than the call
    ray_actor_options={"num_cpus": 0},
)
class Preprocessor:
    """Cleans micro-batches of texts."""

    def __init__(self) -> None:
        log_with_serve()
        self._clean = cleaner_of(load_settings())
        rise()

    async def process(self, texts: list[RawText], normalizer: str = CURRENT_NORMALIZER) -> list[CleanText]:
        """Return `texts` cleaned, in the same order."""
        return await asyncio.to_thread(self._clean_all, texts, normalizer)  # beside the event loop

    def _clean_all(self, texts: list[RawText], normalizer: str) -> list[CleanText]:
        return [self._clean(raw, normalizer) for raw in texts]
