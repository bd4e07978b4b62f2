"""Masks links as people write them: glued to a word, without a scheme, with what stands behind them left alone."""

from __future__ import annotations

import re
from typing import Final

#: Letters of host names and mail addresses. Scripts that write no spaces are left out, or a sentence would be taken.
EUROPEAN: Final = r"0-9A-Za-z_\xaa-\u024f\u0370-\u052f\u1e00-\u1fff"
LETTERS: Final = (
    rf"{EUROPEAN}\u0531-\u0587\u05d0-\u05ea\u0620-\u064a\u0660-\u0669\u0671-\u06d3\u06f0-\u06f9\u10a0-\u10ff"
)
_SCHEME: Final = r"(?:https?|hxxps?|ftps?|sftp|wss?)://"

#: Where a link ends: white space, quotes, dashes, an ellipsis, arrows, punctuation of scripts that write no spaces;
#: and pictures, which say how somebody feels.
_END: Final = (
    r"\s<>|\"`\\\xab\xbb\u060c\u061b\u061f\u0964\u0965\u2013-\u2015\u2018-\u201f\u2022\u2026\u2039\u203a\u203c-\u2049"
    r"\u2190-\u21ff\u2600-\u27bf\u3001-\u3003\u3008-\u3020\u3030\ufe50-\ufe57\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f"
    r"\uff3b\uff3d\uff5b\uff5d\uff5e\uff61-\uff64\U0001f000-\U0001faff"
)
#: A character of a link. A bracket belongs to it that opens in it, `;` before a value, `!` behind `#`; no three dots.
_ON: Final = (
    rf"(?:[^{_END}()\[\]{{}};!.]|\.(?!\.)|[(\[{{][^{_END}()\[\]{{}}]*+[)\]}}]?"
    r"|;(?=[\w%.-]{1,40}=)|(?<=#)!|!(?![^\W_]))"
)
#: What follows a mail address or a host: a path or a query.
TAIL: Final = rf"(?:/{_ON}*+|\?(?:[\w.-]+=|\[email\]){_ON}*+)"

_TOP: Final = r"(?P<top>[^\W\d_]{2,24}+|xn--[a-z\d-]+)"
#: What a copied post ends in, glued to its last word.
_PICTURE: Final = r"pic\.(?:twitter|x)\.com"
#: Their paths are one word of letters and digits: what is behind it is none of theirs.
_SHORTENERS: Final = (
    r"t\.co|bit\.ly|tinyurl\.com|goo\.gl|ow\.ly|is\.gd|buff\.ly|amzn\.to|youtu\.be|dlvr\.it|j\.mp|lnkd\.in|redd\.it"
)
_SCHEMED = re.compile(
    rf"(?:https?://|(?<![\w.@-]))(?:{_SHORTENERS})/[a-z\d_-]++(?:[/?#]{_ON}*+)?"
    rf"|{_SCHEME}{_ON}++"
    rf"|(?<![^\W_])(?![a-z\d+.-]{{0,22}}{_SCHEME})[a-z][a-z\d+.-]{{1,20}}://{_ON}++",
    re.IGNORECASE,
)
_BARE = re.compile(
    rf"(?<![^\W_])www\d?\.{_ON}++|(?:(?<![aew])|(?<=e)(?=www\.[\w-]+\.\w{{3}}))www\d?\.(?=[\w-]+\.\w){_ON}++"
    rf"|(?<![\w.])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?::\d{{2,5}}/{_ON}*+|/[a-z]{_ON}*+)"
    rf"|{_PICTURE}/{_ON}++"
    rf"|(?<![{LETTERS}-])(?<![{LETTERS}-]\.)(?![{LETTERS}-]+{_PICTURE})"
    rf"(?P<host>(?://)?(?:[{LETTERS}-]++\.)++{_TOP})"
    rf"(?:(?P<port>:\d{{2,5}})?/(?P<path>{_ON}*+)|(?P<end>:\d{{2,5}}(?!\d)){_ON}*+|\?(?P<query>[\w.-]+=|\[email\]){_ON}*+)",
    re.IGNORECASE,
)
#: Reddit's `/u/name`; without the first slash a name, but for what "u" has behind it where it says "you".
_REDDITOR = re.compile(
    r"(?<![\w/.])(?:/u/[\w-]{3,20}|u/(?!(?:the[ymir]*|you[r]?s?|she|her|him|his|who|any\w*|some\w*|every\w*|and|not|are|"
    r"have|had|has|was|were|will|can|can't|dont|don|miss|love|like|hate|need|want|know|see|get|got|all|both|our|do|does|did|but|when|what|that|this|still|always|say|said|should|would|could|must|think|"
    r"others?|people|guys|just|then|else|one)(?![\w-]))[\w-]{3,20})(?![\w/])",
    re.IGNORECASE,
)

_ODD_IN_PATHS = re.compile(r"[\d/_=?%#&+~-]")
_LIKE_A_PATH = re.compile(r"[\dA-Z/_=?%#&+~@.-]")
#: What stands before a slash in a sentence, behind a dot that lacks its blank, and the endings of files.
_WORDS: Final = (
    "and or he she her hers him his they them their the you your we our who either neither both maybe good bad "
    "best worst love hate like right wrong left yes black white male female man woman women mother father mom "
    "dad win lose on off out up down day night half true false some any all one two pros cons input output read "
    "write pass fail hot cold old new first last more less now later before after with without js jsx ts css "
    "html htm php txt csv pdf doc docx xls xlsx ppt jpg jpeg png gif svg xml json yaml yml java exe zip tar gz"
)
_NO_TOPS: Final = frozenset(_WORDS.split())
#: Countries whose codes are words of a sentence: a slash behind one of them may be a sentence's as well.
_WORD_TOPS: Final = re.compile(r"no|i[stn]|a[tms]|so|to|m[ey]|us|b[ey]|do")
#: Endings of files that are countries' codes too: a colon and a line's number follow them.
_FILE_TOPS: Final = re.compile(r"py|r[sb]|go|sh|md|c[cs]|[pmk][lmt]|ps|so|vue|sql|log|ini|cfg|toml|lock|[ch]pp")
_KNOWN_HOSTS: Final = re.compile(
    r"(?:t|wa|m|fb|ig|about|paypal|line|telegram|monzo|revolut|cash|wp)\.me|(?:dev|go|amzn)\.to|youtu\.be|"
    r"(?:redd|dlvr|scoop)\.it|lnkd\.in|archive\.is|zoom\.us|(?:telegr|instagr)\.am"
)
_FRAMEWORKS: Final = re.compile(r"(?:asp|vb|ado|ml)\.net")


def mask_links(text: str) -> str:
    """Return `text` with `http` for links with a scheme; what a link is glued to stays a word."""
    return _SCHEMED.sub(_link_mask, text)


def mask_hosts(text: str) -> str:
    """Return `text` with `http` for links without a scheme, `@user` for Reddit's names."""
    return _REDDITOR.sub("@user", _BARE.sub(_host_mask, text))


def _host_mask(match: re.Match[str]) -> str:
    return _link_mask(match) if match["host"] is None or _is_host(match) else match[0]


def _link_mask(match: re.Match[str]) -> str:
    start, behind = match.start(), match.string[match.end() : match.end() + 1]
    glued = start > 0 and (match.string[start - 1].isalnum() or match.string[start - 1] == "_")
    goes_on = behind.isalnum() or behind in ("@", "\uff20", "\ufe6b")  # glued to a word, a name would be no name
    return f"{' ' if glued else ''}http{' ' if goes_on else ''}"


def _is_host(match: re.Match[str]) -> bool:
    """Whether it is a host: `great.And/or`, `good.and/or`, `phone.no/bad`, `main.rs:42`, `ASP.NET/MVC` are none."""
    top, path, host = match["top"].lower(), match["path"] or "", match["host"].lower().removeprefix("//")
    if (
        match["top"] not in (top, top.upper())
        or _FRAMEWORKS.fullmatch(host)
        or (match["end"] and _FILE_TOPS.fullmatch(top))
    ):
        return False
    if top in _NO_TOPS:
        return bool(_ODD_IN_PATHS.search(path))
    is_word = _WORD_TOPS.fullmatch(top) and not (match["port"] or match["end"] or match["query"])
    return not is_word or bool(_KNOWN_HOSTS.fullmatch(host) or _LIKE_A_PATH.search(path))
