"""The words of a normalised text, in every script: combining vowel signs and joiners belong to them."""

from __future__ import annotations

import re

from sentiment.text.characters import MARKS

_RETWEET = re.compile(r"^(?:rt\s+)?(?:@user:?\s*)+")
_MASKS = re.compile(r"@user|\bhttp\b|\[(?:email|phone)\]")
_NOT_WORD = re.compile(r"[^\w]+")
_NOT_WORD_OR_MARK = re.compile(rf"[^\w{MARKS}]+")
_JOINERS = re.compile("[\u200c\u200d]+")
_HASHTAG = re.compile(rf"(?<![\w&])[#\uff03]((?=\w)[\w{MARKS}\u200c\u200d]{{2,64}})")
_PICTURE = re.compile(
    r"[\xa9\xae\u203c\u2049\u20e3\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
    r"|(?<!\w)(?:[:;=8xX]['\u2019^]?-?[)(\[\]{}DPpOo3/\\|*]+|</?3+|[\^>]_*[\^<]|-_+-|[xX]D+)(?!\w)"
)


def bare_words(normalized: str) -> str:
    """Return the words of a normalised text with one space between them: no case, masks or punctuation; maybe none."""
    bare = _MASKS.sub(" ", _RETWEET.sub("", normalized.casefold()))
    if bare.isascii():
        return _NOT_WORD.sub(" ", bare).strip()
    return _NOT_WORD_OR_MARK.sub(" ", _JOINERS.sub("", bare)).strip()


def pictures(normalized: str) -> list[str]:
    """Return the emoji and emoticons of a normalised text, in their order; skin tones count, styles of one do not."""
    return _PICTURE.findall(normalized)


def hashtags(normalized: str) -> list[str]:
    """Return the hashtags of a normalised text without their signs: 2 to 64 characters each."""
    return _HASHTAG.findall(normalized)
