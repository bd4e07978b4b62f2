"""Masks what names a person: links, mail addresses, user names, phone numbers. It is a promise to people."""

from __future__ import annotations

import re

from sentiment.text.addresses import mask_emails, mask_spelt_addresses, mask_users
from sentiment.text.links import mask_hosts, mask_links
from sentiment.text.phones import mask_phones

#: What a link or an address has: few words of a text do, and only these are looked at closely.
_SIGN = re.compile("[@/:=\uff20\ufe6b]|[wW]{2}\\.")
_AT_SIGNS = frozenset("@\uff20\ufe6b")


def mask(text: str) -> str:
    """Return `text`, its white space squeezed, with `http`, `[email]`, `@user` and `[phone]` for what names people.

    A mask may lay bare what stood behind it (`a@b.cd@name`): call it again until it changes nothing.
    """
    if '"@' in text:  # a mail address in quotes may hold blanks
        text = mask_users(mask_emails(text))
    return mask_phones(_mask_words(mask_spelt_addresses(text)))


def _mask_words(text: str) -> str:
    pieces, end = list[str](), 0
    for sign in _SIGN.finditer(text):
        if sign.start() >= end:
            start, stop = text.rfind(" ", 0, sign.start()) + 1, text.find(" ", sign.start())
            stop = len(text) if stop < 0 else stop
            pieces += text[end:start], _mask_word(text[start:stop])
            end = stop
    return "".join([*pieces, text[end:]]) if pieces else text


def _mask_word(word: str) -> str:
    """Return the word masked: a mail address goes before the host that it ends in, or the name before it would stay."""
    if "/" in word:
        word = mask_links(word)
    has_at = not _AT_SIGNS.isdisjoint(word)
    if has_at:
        word = mask_emails(word)
    if "." in word or "/" in word:
        word = mask_hosts(word)
    return mask_users(word) if has_at else word
