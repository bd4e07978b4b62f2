"""Masks links, mail addresses and user names, as people write them: glued to a word, without a scheme, with dots."""

from __future__ import annotations

import re
from typing import Final

from sentiment.text.characters import MARKS

#: Letters of host names and mail addresses. Scripts that write no spaces are left out, or a sentence would be taken.
_EUROPEAN: Final = r"0-9A-Za-z_\xaa-\u024f\u0370-\u052f\u1e00-\u1fff"
_LETTERS: Final = (
    rf"{_EUROPEAN}\u0531-\u0587\u05d0-\u05ea\u0620-\u064a\u0660-\u0669\u0671-\u06d3\u06f0-\u06f9\u10a0-\u10ff"
)
_HOST: Final = rf"[{_LETTERS}-]++(?:\.[{_LETTERS}-]++)++"
_AT: Final = "[@\uff20\ufe6b]"
_SCHEME: Final = r"(?:https?|hxxps?|ftps?|sftp|wss?)://"

#: What a link goes on with: what is not white space, nor a picture, which says how somebody feels.
_ON: Final = r"[^\s\u2600-\u27bf\U0001f000-\U0001faff]"

_TOP: Final = r"(?P<top>[^\W\d_]{2,24}+|xn--[a-z\d-]+)"
#: What a copied post ends in, glued to its last word.
_PICTURE: Final = r"pic\.(?:twitter|x)\.com"
_LINK = re.compile(
    rf"{_SCHEME}{_ON}+"
    rf"|(?<![^\W_])(?![a-z\d+.-]{{0,22}}{_SCHEME})[a-z][a-z\d+.-]{{1,20}}://{_ON}+"
    rf"|(?<![^\W_])www\d?\.{_ON}+|(?:(?<![aew])|(?<=e)(?=www\.[\w-]+\.\w{{3}}))www\d?\.(?=[\w-]+\.\w){_ON}+"
    rf"|(?<![\w.])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?::\d{{2,5}}/{_ON}*|/[a-z]{_ON}*)"
    rf"|{_PICTURE}/{_ON}+"
    rf"|(?<![{_LETTERS}-])(?<![{_LETTERS}-]\.)(?![{_LETTERS}-]+{_PICTURE})"
    rf"(?P<host>(?://)?(?:[{_LETTERS}-]++\.)++{_TOP})"
    rf"(?:(?::\d{{2,5}})?/(?P<path>{_ON}*)|:\d{{2,5}}(?!\d){_ON}*|\?[\w.-]+={_ON}*)",
    re.IGNORECASE,
)
_LOCAL: Final = rf"{_LETTERS}.+'\u2019&=~%#$^{{}}`-"
_EMAIL = re.compile(
    rf"""(?:(?<![@\uff20{_LOCAL}])[{_LOCAL}]++|"[^"@]{{1,64}}"){_AT}(?:{_HOST}|\[[\d.:a-f]{{3,45}}\])""",
    re.IGNORECASE,
)
#: As people write an address that no robot shall find.
_SPELT_EMAIL = re.compile(
    rf"(?<![{_LOCAL}])[{_LOCAL}]++ ?[(\[{{]at[)\]}}] ?[{_LETTERS}-]+"
    rf"(?: ?(?:\.|[(\[{{](?:dot|punkt)[)\]}}]) ?[{_LETTERS}-]+)+"
    rf"|(?<![{_LOCAL}])[{_LOCAL}]++ at [{_LETTERS}-]+(?: dot [{_LETTERS}-]+)? dot (?:com|org|net|edu|gov|de|fr|io)\b",
    re.IGNORECASE,
)
_NAME: Final = rf"[\w{MARKS}]++(?:[.\-\xb7\u200c\u200d][\w{MARKS}]++)*+"
#: `@5pm` and `@7:30` are times.
_TIME: Final = r"\d{1,2}(?:[:.]\d\d)?(?:[ap]m?|h|uhr)?(?!\w)"
_USER = re.compile(
    rf"(?<![@\uff20\ufe6b{_EUROPEAN}]){_AT}++(?!{_TIME}){_NAME}(?:{_AT}++{_NAME}(?::\d{{2,5}})?)*+", re.IGNORECASE
)
#: Reddit's `/u/name`; without the first slash a name that is no word.
_REDDITOR = re.compile(r"(?<![\w/.])(?:/u/[\w-]{3,20}|u/(?=[a-z]*[\d_-])[\w-]{3,20})(?![\w/])", re.IGNORECASE)

_ODD_IN_PATHS = re.compile(r"[\d/_=?%#&+~-]")
#: What stands before a slash in a sentence, behind a dot that lacks its blank, and the endings of files.
_WORDS: Final = (
    "and or he she her hers him his they them their the you your we our who either neither both maybe good bad "
    "best worst love hate like right wrong left yes black white male female man woman women mother father mom "
    "dad win lose on off out up down day night half true false some any all one two pros cons input output read "
    "write pass fail hot cold old new first last more less now later before after with without js jsx ts css "
    "html htm php txt csv pdf doc docx xls xlsx ppt jpg jpeg png gif svg xml json yaml yml java exe zip tar gz"
)
_NO_TOPS: Final = frozenset(_WORDS.split())


def mask_links(text: str) -> str:
    """Return `text` with `http` for each link, `@user` for Reddit's names; what a link is glued to stays a word."""
    return _REDDITOR.sub("@user", _LINK.sub(_link_mask, text))


def mask_addresses(text: str) -> str:
    """Return `text`, which has an at sign, with `[email]` for mail addresses and `@user` for user names."""
    return _USER.sub("@user", _EMAIL.sub("[email]", text))


def mask_spelt_addresses(text: str) -> str:
    """Return `text` with `[email]` for mail addresses as in `name (at) host (dot) tld`."""
    return _SPELT_EMAIL.sub("[email]", text)


def _link_mask(match: re.Match[str]) -> str:
    if match["host"] and not _is_host(match["top"], match["path"]):
        return match[0]
    start = match.start()
    glued = start > 0 and (match.string[start - 1].isalnum() or match.string[start - 1] == "_")
    return " http" if glued else "http"


def _is_host(top: str, path: str | None) -> bool:
    """Whether what ends in `top` is a host: `great.And/or`, `good.and/or` and `index.html/main.css` are none."""
    of_one_case = top in (top.lower(), top.upper())
    return of_one_case and (top.lower() not in _NO_TOPS or bool(_ODD_IN_PATHS.search(path or "")))
