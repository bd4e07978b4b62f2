"""One normalisation of texts, the same in training and in serving, and masked before anything is stored.

Versioned: a model's manifest names the version that it was trained with (`NORMALIZERS`). Emoji, letter case, `:(` and
accents are kept, since they carry feeling.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import re
import unicodedata
from collections.abc import Callable
from typing import Final

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b\u2060\ufeff]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LINK = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w.+@-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_USER = re.compile(r"(?<![\w@])@\w{1,64}(?:@[\w-]+(?:\.[\w-]+)+)?")
_PHONE = re.compile(r"(?<![\w.,$€£#])(?:\+|00)?\(?\d[\d ().\-/]{7,22}\d(?![\w%])")
_DATE = re.compile(r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})\b")
_SPACE = re.compile(r"\s+")
_RETWEET = re.compile(r"^(?:rt\s+)?(?:@user:?\s*)+")
_MASKS = re.compile(r"@user|\bhttp\b|\[(?:email|phone)\]")
_NOT_WORD = re.compile(r"[^\w]+")
_PHONE_DIGITS = range(9, 16)
_MOST_NESTED: Final = 4  # entities within entities


def normalize_v1(text: str) -> str:
    """Return `text` in Unicode NFC, HTML entities resolved, people and links masked, white space squeezed.

    `@name` becomes `@user` and a link `http` (the convention of TweetEval, Barbieri et al. 2020), e-mail addresses
    `[email]`, phone numbers `[phone]`. Lone surrogates become U+FFFD, control characters a space. Total: never raises
    on a str; applying it twice changes nothing more.
    """
    text = _SURROGATE.sub("\ufffd", _unescape(text))
    text = unicodedata.normalize("NFC", _CONTROL.sub(" ", _BREAK.sub(" ", text)))
    text = _USER.sub("@user", _EMAIL.sub("[email]", _LINK.sub("http", text)))
    return _SPACE.sub(" ", _PHONE.sub(_mask_phone, text)).strip()


NORMALIZERS: Final[dict[str, Callable[[str], str]]] = {"1": normalize_v1}
CURRENT_NORMALIZER: Final = "1"


def near_duplicate_key(normalized: str) -> str:
    """Return a key that retweets and copies with other links, names, case or punctuation share (32 hex digits)."""
    words = bare_words(normalized) or normalized
    return hashlib.blake2b(words.encode(), digest_size=16).hexdigest()


def bare_words(normalized: str) -> str:
    """Return the words of a normalised text with one space between them: no case, masks or punctuation; maybe none."""
    bare = _MASKS.sub(" ", _RETWEET.sub("", normalized.casefold()))
    return _NOT_WORD.sub(" ", bare).strip()


def keyed_digest(secret: bytes, value: str) -> str:
    """Return HMAC-SHA256 of `value` as 32 hex digits: equal values compare equal, nobody without `secret` gets back."""
    return hmac.new(secret, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]


def _unescape(text: str) -> str:
    for _ in range(_MOST_NESTED):
        if "&" not in text or (plain := html.unescape(text)) == text:
            return text
        text = plain
    return text.replace("&", "& ")  # nobody writes so by accident: an entity a pass would cost quadratic time


def _mask_phone(match: re.Match[str]) -> str:
    digits = sum(character.isdigit() for character in match[0])
    masked = digits in _PHONE_DIGITS and not _DATE.match(match[0])
    return "[phone]" if masked else match[0]
