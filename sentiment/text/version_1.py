"""The first normaliser: versions that were trained with it are asked by it. What is stored is the current one's."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final

from sentiment.text.characters import has_visible_text

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b\u2060\ufeff]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LINK = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w.+@-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_USER = re.compile(r"(?<![\w@])@\w{1,64}(?:@[\w-]+(?:\.[\w-]+)+)?")
_PHONE = re.compile(r"(?<![\w.,$€£#])(?:\+|00)?\(?\d[\d ().\-/]{7,22}\d(?![\w%])")
_DATE = re.compile(r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})\b")
_SPACE = re.compile(r"\s+")
_PHONE_DIGITS = range(9, 16)
_MOST_NESTED: Final = 4  # entities within entities


def normalize_v1(text: str) -> str:
    """Return `text` in Unicode NFC, HTML entities resolved, most people and links masked, white space squeezed.

    `@name` becomes `@user` and a link `http` (the convention of TweetEval, Barbieri et al. 2020), e-mail addresses
    `[email]`, phone numbers `[phone]`. Lone surrogates become U+FFFD, control characters a space. Empty where nothing
    visible is left. Total: never raises on a str.
    """
    text = _SURROGATE.sub("\ufffd", _unescape(text))
    text = unicodedata.normalize("NFC", _CONTROL.sub(" ", _BREAK.sub(" ", text)))
    text = _USER.sub("@user", _EMAIL.sub("[email]", _LINK.sub("http", text)))
    text = _SPACE.sub(" ", _PHONE.sub(_mask_phone, text)).strip()
    return text if has_visible_text(text) else ""


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
