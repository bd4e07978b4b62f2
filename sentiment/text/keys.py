"""Keys of texts: which are copies of each other, and what stands for a value that nobody shall read."""

from __future__ import annotations

import hashlib
import hmac

from sentiment.text.words import bare_words, pictures


def near_duplicate_key(normalized: str) -> str:
    """Return a key that retweets and copies with other links, names, case, punctuation or emoji share (32 hex digits).

    Where there are no words, all of the text counts.
    """
    return _digest(bare_words(normalized) or normalized)


def distinct_key(normalized: str) -> str:
    """Return a key as `near_duplicate_key` that other emoji or emoticons change: these carry feeling."""
    words, pictures_ = bare_words(normalized), pictures(normalized)
    return _digest("\0".join([words, *pictures_]) if words else normalized)


def keyed_digest(secret: bytes, value: str) -> str:
    """Return HMAC-SHA256 of `value` as 32 hex digits: equal values compare equal, nobody without `secret` gets back."""
    return hmac.new(secret, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
