"""Characters by what they do to a text: visible ones, those without width, combining marks, digits, dashes, dots."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: Combining marks, as ranges of a character class; what lies between them in a range are letters, words anyway.
#: Variation selectors and what encloses a digit are left out: they belong to emoji.
MARKS: Final = (
    r"\u0300-\u034e\u0350-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1-\u05c2\u05c4-\u05c5\u05c7\u0610-\u061a"
    r"\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u0711-\u07f3\u07fd\u0816-\u082d\u0859-\u085b"
    r"\u0898-\u08e1\u08e3-\u0963\u0981-\u09e3\u09fe-\u0a75\u0a81-\u0ae3\u0afa-\u0b63\u0b82-\u0bd7\u0c00-\u0c63"
    r"\u0c81-\u0c83\u0cbc-\u0d4d\u0d57-\u0d63\u0d81-\u0df3\u0e31-\u0e3a\u0e47-\u0e4e\u0eb1-\u0ecd\u0f18-\u0f19\u0f35"
    r"\u0f37\u0f39\u0f3e-\u0f84\u0f86-\u0fbc\u0fc6\u102b-\u103e\u1056-\u109d\u135d-\u135f\u1712-\u1734\u1752-\u1773"
    r"\u17b6-\u17d3\u17dd\u1885-\u193b\u1a17-\u1a1b\u1a55-\u1a7f\u1ab0-\u1abd\u1abf-\u1b44\u1b6b-\u1b73\u1b80-\u1bf3"
    r"\u1c24-\u1c37\u1cd0-\u1cd2\u1cd4-\u1dff\u20d0-\u20dc\u20e1\u20e5-\u20f0\u2cef-\u2cf1\u2d7f-\u2dff\u302a-\u302f"
    r"\u3099-\u309a\ua66f\ua674-\ua67d\ua69e-\ua6f1\ua802-\ua827\ua82c\ua880-\ua8c5\ua8e0-\ua8f1\ua8ff-\ua92d"
    r"\ua947-\ua953\ua980-\ua9c0\ua9e5-\uaa4d\uaa7b-\uaac1\uaaeb-\uaaef\uaaf5-\uaaf6\uabe3-\uabea\uabec-\uabed\ufb1e"
    r"\ufe20-\ufe2f\U000101fd-\U0001037a\U00010a01-\U00010a3f\U00010ae5-\U00010ae6\U00010d24-\U00010eac"
    r"\U00010f46-\U00010f50\U00010f82-\U00010f85\U00011000-\U00011046\U00011070-\U000110ba\U000110c2"
    r"\U00011100-\U00011134\U00011145-\U00011173\U00011180-\U000111c0\U000111c9-\U000111cc\U000111ce-\U000111cf"
    r"\U0001122c-\U00011237\U0001123e\U000112df-\U00011446\U0001145e-\U000114c3\U000115af-\U000115c0"
    r"\U000115dc-\U00011640\U000116ab-\U000116b7\U0001171d-\U0001172b\U0001182c-\U0001183a\U00011930-\U00011943"
    r"\U000119d1-\U000119e0\U000119e4-\U00011a3e\U00011a47-\U00011a99\U00011c2f-\U00011c3f\U00011c92-\U00011ef6"
    r"\U00016af0-\U00016af4\U00016b30-\U00016b36\U00016f4f-\U00016f92\U00016fe4-\U00016ff1\U0001bc9d-\U0001bc9e"
    r"\U0001cf00-\U0001cf46\U0001d165-\U0001d169\U0001d16d-\U0001d172\U0001d17b-\U0001d182\U0001d185-\U0001d18b"
    r"\U0001d1aa-\U0001d1ad\U0001d242-\U0001d244\U0001da00-\U0001da36\U0001da3b-\U0001da6c\U0001da75\U0001da84"
    r"\U0001da9b-\U0001e136\U0001e2ae-\U0001e2ef\U0001e8d0-\U0001e94a"
)

#: What nobody sees: white space, controls, what has no width (Unicode's Default_Ignorable_Code_Point), two blanks.
_INVISIBLE: Final = (
    r"\s\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\u2800\u3164\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff"
)
_VISIBLE = re.compile(f"[^{_INVISIBLE}]")

#: What may need a repair: surrogates, and all of the classes below.
_ODD = re.compile(
    r"[\ud800-\udfff\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0"
    r"\ufff9-\ufffb\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
)
#: What is said of a text without a visible character, behind the name of its field.
NO_WORDS: Final = "is empty: nothing of it is visible once it is normalised"

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_BLANK = re.compile(r"[\u2800\u3164\uffa0]")
#: Soft hyphen, grapheme joiner, direction marks, zero-width space, word joiner, byte order mark, interlinear notes.
_WIDTHLESS = re.compile(
    r"[\xad\u034f\u061c\u17b4\u17b5\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]+"
)
_LATIN: Final = r"A-Za-z\xc0-\u024f\u1e00-\u1eff"
#: Letters of scripts that join or stack, and pictures: what a joiner may follow.
_JOINABLE: Final = (
    r"\u0600-\u109f\u1700-\u1cff\u20e3\u2190-\u2bff\u3030\u303d\u3297\u3299\ua800-\uabff\ufb50-\ufdff\ufe0f"
    r"\ufe70-\ufefc"
    r"\U00010a00-\U0001ffff\U000e0020-\U000e007f"
)
_STRAY_SELECTOR = re.compile(rf"(?<![^\s{_LATIN}])[\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]+")
#: Fillers hold the place of a letter in a syllable of Hangul, and have none beside it.
_STRAY_FILLER = re.compile(r"(?<![\u1100-\u115e\u1161-\u11ff])[\u115f\u1160]++(?![\u1100-\u115e\u1161-\u11ff])")
_STRAY_TAG = re.compile(r"(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0000-\U000e007f]+")
_STRAY_JOINER = re.compile(rf"(?<![{_JOINABLE}])[\u200c\u200d]+")


def has_visible_text(text: str) -> bool:
    """Say whether anybody sees anything of `text`: blanks, fillers, direction marks and selectors alone are no text."""
    return _VISIBLE.search(text) is not None


def composed(text: str) -> str:
    """Return `text` in NFC without what has no width; joiners, selectors and tags stay where they belong."""
    text = unicodedata.normalize("NFC", text)
    if not _ODD.search(text):
        return text
    text = _BLANK.sub(" ", _SURROGATE.sub("\ufffd", text))
    text = _STRAY_SELECTOR.sub("", _STRAY_FILLER.sub("", _WIDTHLESS.sub("", text)))
    return unicodedata.normalize("NFC", _STRAY_JOINER.sub("", _STRAY_TAG.sub("", text)))


class _PlainForms(dict[int, str]):
    """A translation table that knows each character once it was met: digits, dashes, dots, slashes in ASCII."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        plain = str(unicodedata.decimal(character)) if character.isdecimal() else character
        if unicodedata.category(character) == "Pd":
            plain = "-"
        self[code] = plain
        return plain


_PLAIN_FORMS: Final = _PlainForms(
    {
        **{ord(dash): "-" for dash in "\u2212\u30fc\uff70"},  # minus signs, and what Japanese numbers are cut by
        **{ord(dot): "." for dot in "\xb7\u2022\u2024\u2027\u2219\u22c5\u30fb\uff0e\uff65"},
        **{ord(slash): "/" for slash in "\u2044\u2215\uff0f"},
        **dict(zip(map(ord, "\uff0b\uff08\uff09\uff03\uff1a"), "+()#:", strict=True)),
    }
)


def plain_forms(text: str) -> str:
    """Return `text`, character by character, with all digits, dashes, dots, slashes and brackets as ASCII has them."""
    return text if text.isascii() else text.translate(_PLAIN_FORMS)
