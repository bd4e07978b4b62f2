"""Masks mail addresses and user names as people write them: with a login, spelt, in any script, glued to a word."""

from __future__ import annotations

import re
from typing import Final

from sentiment.text.characters import MARKS
from sentiment.text.links import EUROPEAN, LETTERS, TAIL

_AT: Final = "[@\uff20\ufe6b]"
_LOCAL: Final = rf"{LETTERS}.+'\u2019&=~%#$^{{}}`-"
#: A letter, mark or digit of a script that is no part of `LETTERS`.
_OTHER: Final = rf"(?![{_LOCAL}])[\w{MARKS}]"
_LABEL: Final = rf"(?:[{LETTERS}-]++|(?:{_OTHER}){{1,24}}+)"
_COMMON_TOPS: Final = "com|org|net|edu|gov|info|io|de|fr|es|it|br|uk|co|me|eu|nl|pl|ru|in|jp|cn|kr|tw|hk"
_DOT: Final = rf"(?:[.\uff0e]|[\u3002\uff61](?=(?:{_COMMON_TOPS})(?![A-Za-z])))"
#: A host has two letters behind a dot somewhere: `3@2.99`, `meet@5.30pm` and `react@18.2.0` name none.
_HOST: Final = rf"(?=[^\s@]*?[.\uff0e\u3002\uff61](?!\d)\w[\w{MARKS}])(?![\d.]+(?![\w.-])){_LABEL}(?:{_DOT}{_LABEL})++"
#: What stands before a colon and an address, and is no user name: `john:secret@host.tld` is a login.
_NO_LOGIN: Final = (
    r"(?:mailto|sips?|xmpp|e?-?mails?|me|us|contact|kontakt|address|adresse|at|to|from|cc|bcc|an|von|is|correo|courriel|"
    r"reply-to|e|m|acct|skype|paypal|id|info|support)"
)
_LOGIN: Final = rf"(?!{_NO_LOGIN}:)[{_LOCAL}]++:[^\s@/:\uff1a]{{1,64}}(?:@[^\s@/.:]{{1,32}}(?=@))?"
_IP: Final = r"\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)"
_EMAIL = re.compile(
    rf"(?<![@\uff20{_LOCAL}]){_LOGIN}{_AT}[{LETTERS}-]++:\d{{2,5}}(?!\d){TAIL}?|"
    rf"""(?:(?<![@\uff20{_LOCAL}])(?:{_LOGIN}(?={_AT})|[{_LOCAL}]*+(?:{_OTHER}){{1,16}}(?={_AT})|[{_LOCAL}]++)"""
    rf"""|(?:{_OTHER}){{1,16}}|"[^"@]{{1,64}}")"""
    rf"""{_AT}(?:{_HOST}|{_IP}|\[[\d.:a-f]{{3,45}}\])(?::\d{{1,5}}(?!\d)|:(?=[\w.-]+/))?(?:(?<=:)[\w.-]+)?{TAIL}?""",
    re.IGNORECASE,
)

_PROVIDER: Final = (
    r"(?:g(?:oogle)?mail|yahoo|ymail|hotmail|outlook|live|msn|icloud|aol|gmx|web|proton(?:mail)?|mail|yandex|qq|163|"
    r"naver)"
)
_SPELT_DOT: Final = r"(?: ?[(\[{] ?(?:dot|punkt|punto|ponto|point|\.) ?[)\]}] ?| (?:dot|punkt|punto|ponto) )"
_SPELT_BOX: Final = rf"[{_LOCAL}]++(?:{_SPELT_DOT}[{_LOCAL}]++)*"
#: A box whose name is no word: it holds a dot, a digit or an underscore, and a letter.
_ODD_BOX: Final = (
    rf"(?:(?=[{_LOCAL}]*[A-Za-z])(?=[{_LOCAL}]*[\d._])[{_LOCAL}]++(?:{_SPELT_DOT}[{_LOCAL}]++)*"
    rf"|[{_LOCAL}]++(?:{_SPELT_DOT}[{_LOCAL}]++)+)"
)
_SPELT_HOST: Final = rf"[{LETTERS}-]+(?:(?: ?\. ?|{_SPELT_DOT})[{LETTERS}-]+)*"
_SPELT_TOP: Final = rf"(?:\.|{_SPELT_DOT})(?:{_COMMON_TOPS})\b"
_MAIL_CUE: Final = (
    r"(?P<cue>\b(?:e-?mails?|mail(?:to)?|contact|write(?: to)?|reach|correo|kontakt)(?:[ :]+(?:me|us|him|her|is|at|on|"
    r"to|address|adresse))*[ :]+)"
)
_BRACKETED_AT: Final = rf" ?[(\[{{<] ?(?:at|{_AT}|arroba|\xe4t) ?[)\]}}>] ?"
#: As people write an address that no robot shall find. "I shop at amazon dot com" names none.
_SPELT_EMAIL = re.compile(
    rf"(?<![{_LOCAL}]){_SPELT_BOX}{_BRACKETED_AT}[{LETTERS}-]+(?:(?: ?\. ?|{_SPELT_DOT})[{LETTERS}-]+)+"
    rf"|(?<![{_LOCAL}]){_ODD_BOX}(?: (?:at|arroba) | ?{_AT} ?){_SPELT_HOST}{_SPELT_TOP}"
    rf"|(?<![{_LOCAL}]){_SPELT_BOX}(?: (?:at|arroba) | ?{_AT} ?){_PROVIDER}{_SPELT_TOP}"
    rf"|(?<![{_LOCAL}]){_SPELT_BOX} arroba {_SPELT_HOST}{_SPELT_TOP}"
    rf"|{_MAIL_CUE}{_SPELT_BOX}(?: (?:at|arroba) | ?{_AT} ?){_SPELT_HOST}{_SPELT_TOP}",
    re.IGNORECASE,
)
_BRACKETED_SIGN = re.compile(r"[(\[{<] ?(?:[aA\xe4][tTr]|@)")
_PLAIN_SIGN = re.compile(r" (?:@|(?:at|AT) )[\w-]+\.[A-Za-z]")

_WORD: Final = rf"(?:[^\W\d_]{{1,2}}['\u2019][^\W\d_]{{3,}}|[\w{MARKS}]++)"
_NAME: Final = rf"{_WORD}(?:[.\-\xb7\u200c\u200d][\w{MARKS}]++)*+"
#: `@5pm` and `@7:30` are times.
_TIME: Final = r"\d{1,2}(?:[:.]\d\d)?(?:[ap]m?|h|uhr)?(?!\w)"
_MATRIX: Final = r"(?::(?:[a-z\d-]+\.)+(?:org|com|net|im|io|de|dev|chat|social|eu|fr|nl|uk|ch|xyz|me)(?![\w.-]*\w))"
_USER = re.compile(
    rf"(?<![@\uff20\ufe6b{EUROPEAN}]){_AT}++(?!{_TIME}){_NAME}{_MATRIX}?(?:{_AT}++{_NAME})*+(?::\d{{2,5}}(?!\d))?",
    re.IGNORECASE,
)


def mask_emails(text: str) -> str:
    """Return `text`, which has an at sign, with `[email]` for mail addresses and logins, with what follows the host."""
    return _EMAIL.sub("[email]", text)


def mask_users(text: str) -> str:
    """Return `text`, which has an at sign and no mail address, with `@user` for user names."""
    return _USER.sub("@user", text)


def mask_spelt_addresses(text: str) -> str:
    """Return `text` with `[email]` for mail addresses as in `name (at) host (dot) tld`."""
    if not _may_be_spelt(text):
        return text
    return _SPELT_EMAIL.sub(lambda match: f"{match['cue'] or ''}[email]", text)


def _may_be_spelt(text: str) -> bool:
    """Whether one may be there: the pattern is slow, and most texts have no sign of any."""
    if (
        " dot " in text
        or " DOT " in text
        or " punkt " in text
        or " punto " in text
        or " ponto " in text
        or "@ " in text
    ):
        return True
    if ("(" in text or "[" in text or "{" in text or "<" in text) and _BRACKETED_SIGN.search(text):
        return True
    return (" @" in text or " at " in text or " AT " in text) and _PLAIN_SIGN.search(text) is not None
