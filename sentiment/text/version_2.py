"""The current normaliser: no character that nobody sees tears a word, and what names a person is masked."""

from __future__ import annotations

import html
import re
from typing import Final

from sentiment.text.characters import composed, has_visible_text
from sentiment.text.masking import mask

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
#: A mask may lay bare what stood behind it, or end a word that what has no width belonged to.
_MOST_PASSES: Final = 8
_MOST_NESTED: Final = 4  # entities within entities


def normalize_v2(text: str) -> str:
    """Return `text` in Unicode NFC, HTML entities resolved, people and links masked, white space squeezed.

    `@name` becomes `@user` and a link `http` (the convention of TweetEval, Barbieri et al. 2020), e-mail addresses
    `[email]`, phone numbers `[phone]`. Emoji, letter case, `:(` and accents are kept, since they carry feeling. What
    has no width (zero-width space, soft hyphen, direction marks) is dropped; joiners stay where a script or an emoji
    needs them. Lone surrogates become U+FFFD, control characters a space. Empty where nothing visible is left. Total:
    never raises on a str; applied twice it changes nothing more.
    """
    for _ in range(_MOST_PASSES):
        plain = " ".join(_plain(text).split())
        text = mask(plain)
        if text == plain:
            break
    return text if has_visible_text(text) else ""


def _plain(text: str) -> str:
    """Return `text` without entities, breaks, control characters and what has no width: each may lay another bare."""
    for _ in range(_MOST_NESTED):
        plain = html.unescape(text) if "&" in text else text
        plain = _without_controls(plain)
        if plain == text:
            return text
        text = plain
    # Nobody writes so by accident: an entity a pass would cost quadratic time.
    return _without_controls(_without_controls(text.replace("&", "& ")))


def _without_controls(text: str) -> str:
    if not text.isprintable():
        text = _CONTROL.sub(" ", text)
    if "<" in text:
        text = _BREAK.sub(" ", text)
    return text if text.isascii() else composed(text)
