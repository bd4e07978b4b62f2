"""Masks phone numbers, as people of many countries write them, and leaves dates, scores, prices and codes alone.

One scan from left to right: what is a number of another kind is stepped over, what has the shape of a phone number is
masked. All patterns see the text in `plain_forms`: digits, dashes, dots and slashes in ASCII, white space squeezed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from sentiment.text.characters import plain_forms

#: Cheap to look for: six digits close together, or letters behind a code as in 1-800-FLOWERS.
_CLUSTER = re.compile(r"\d(?:(?:\D{0,4}\d){5,}|(?<=[89])\d\d\)?[-. ][A-Za-z]\w*)")
#: How far before and behind it a word that says what it is may stand, or an extension.
_BEFORE: Final = 48
_BEHIND: Final = 24

_DATE: Final = (
    r"(?:(?:19|20)\d\d(?P<{0}a>[-./])(?:0?[1-9]|1[0-2])(?P={0}a)(?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])(?P<{0}b>[-./])(?:0?[1-9]|1[0-2])(?P={0}b)(?:(?:19|20)\d\d|\d\d)"
    r"|(?:0?[1-9]|1[0-2])(?P<{0}c>[-./])(?:0?[1-9]|[12]\d|3[01])(?P={0}c)(?:(?:19|20)\d\d|\d\d))"
)
_DAY_MONTH: Final = r"(?:0?[1-9]|[12]\d|3[01])[./](?:0?[1-9]|1[0-2])\.?"
_MONTH: Final = r"(?:0?[1-9]|1[0-2])[./-](?:19|20)\d\d"
_CLOCK: Final = r"(?:[01]?\d|2[0-4])[.:h][0-5]\d"
_CODES: Final = (  # what is a number of this kind whatever it looks like
    r"isbn(?:-1[03])?|issn|iban|ids?|ref|reference|serial|sku|ean|upc|gtin|imei|doi|pmid|arxiv|version|build|vat|siret|"
    r"siren|pesel|ssn|kvk|(?:bestell|rechnungs?|sendungs?|auftrags?|kunden|konto|artikel)-?(?:nr|nummer|code|id)"
)
_THINGS: Final = (  # what has a number, and a telephone as well: without a word for it only a run is stepped over
    r"orders?|invoice|tickets?|tracking|parcel|package|case|account|acct|booking|flight|model|article|item|part|"
    r"passport|"
    r"licen[cs]e|patent|commande|facture|colis|pedido|factura|ordine|fattura|bestelling|paket"
)
_NUMBER_WORD: Final = r"\W{0,3}(?:number|num|no|nr|code|id|num[eé]ro|n[°ºo]|#)(?:\W{0,3}(?:is|was|ist|:))?\W{0,3}"
_MORE: Final = r"(?:[ ./-]{1,2}[A-Z]{0,3}\d[\dA-Z]*){0,9}"
_TIMES: Final = (
    rf"\b{_DATE.format('d')}(?: ?- ?{_DATE.format('e')})?(?![-./]?\d)(?:[ T]{_CLOCK}(?!\d))?",
    rf"\b{_DAY_MONTH} ?- ?{_DAY_MONTH}(?:(?:19|20)?\d\d)?(?![-./]?\d)",
    rf"\b{_CLOCK} ?- ?{_CLOCK}(?![-./]?\d)|\b(?:[01]\d|2[0-4])[0-5]\d ?- ?(?:[01]\d|2[0-4])[0-5]\d(?![-. /]?\d)",
    rf"\b{_MONTH} ?- ?{_MONTH}(?![-./]?\d)",
    r"\b(?:19|20)\d\d ?[-/] ?(?:19|20)\d\d(?![-./ ]?\d)",
)
_DECIMALS: Final = (
    r"(?<![\d.])(?![2-9]\d\d\.\d{7}(?!\d))(?:0|[1-9]\d*)\.\d+(?!\.?\d|[-/ ]\d{3}[-/ ])(?:[, ]+-?\d{1,3}\.\d{3,})?"
)
_NAMED_NUMBERS: Final = (
    rf"\b(?i:{_CODES})(?i:{_NUMBER_WORD})?\W{{0,3}}(?=[A-Z-]{{0,6}}\d)[A-Za-z\d]+{_MORE}",
    rf"\b(?i:{_THINGS})(?i:{_NUMBER_WORD})[A-Z-]{{0,6}}\d+(?:[ ./-][\dA-Z]+)*",
    rf"\b(?i:{_THINGS})\W{{0,3}}[A-Z-]{{0,6}}[1-9]\d*(?![ ./-]?\d)",
    r"\b[A-Z]{2}\d{2}(?: ?[A-Z\d]{4}){2,7}(?: ?[A-Z\d]{1,4})?\b",  # IBAN
)
_OTHER_NUMBERS: Final = (
    r"\b\d\d(?P<pair>[ -])\d\d(?:(?P=pair)\d\d){4,}(?!\d)",  # drawn numbers
    r"\b97[89][- ]?\d(?:[- ]?\d){8}[- ]?[\dXx]\b",  # ISBN
    r"\b[2-6]\d{3}(?P<card>[ -])\d{4}(?P=card)\d{4}(?P=card)\d{4}\b|\b3[47]\d\d[ -]\d{6}[ -]\d{5}\b",
    r"\b[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}\b",
    r"\b(?:\d|[1-9]\d|1\d\d|2\d\d)(?:\.(?:\d|[1-9]\d|1\d\d|2\d\d)){3}(?::\d+)?(?!\.?\d)",  # IPv4
    *_TIMES,
    _DECIMALS,
    r"(?<![\d.])[1-9]\d{0,2}(?:[ .]\d{3}){2,}(?![ .-]?\d)",  # thousands
)
_CUES: Final = (
    r"tel|telef[^\W\d_]*|telephone|t[eé]l(?:[eé]phone)?|phone|fon|mob|mobile?|mobil[^\W\d_]*|m[oó]vil|"
    r"handy[^\W\d_]*|cell|celular|cellulare|fax|whats ?app|call|text|dial|ring|sms|hotline|helpline|viber|"
    r"portable|ll[aá]ma[^\W\d_]*|appel[^\W\d_]*|ruf|rufe?n?|anrufen|durchwahl|chiama[^\W\d_]*|ligue|bel|"
    r"\u0442\u0435\u043b[^\W\d_]*|\u0437\u0432\u043e\u043d[^\W\d_]*"
)
_SIGNS: Final = r"[\u260e\u2706\U0001f4de\U0001f4f1\U0001f4f2\U0001f4df]\ufe0f?|\u7535\u8bdd|\u96fb\u8a71|\u624b\u673a"
_SMALL_WORDS: Final = (
    r"(?:me|us|him|her|number|no|nr|is|at|on|now|under|unter|us|mich|uns|an|au|al|le|il|numero|num[eé]ro|today|:)"
)
_CUE: Final = (
    rf"(?:(?<![^\W_])(?<!\[)(?=\D{{2,40}}\d)(?i:{_CUES})(?![^\W\d_])\.?|{_SIGNS})"
    rf"[^\w+(]{{0,4}}(?i:{_SMALL_WORDS}[^\w+(]{{1,3}}){{0,3}}"
)
#: "Call on 12.10.2015 at 9.30" names no number.
_NO_DATE: Final = rf"(?!{_DATE.format('n')}(?![-./]?\d)|{_CLOCK}(?![-./]?\d))"
#: A gap between groups, between digits at most.
_GAP: Final = r"(?: ?[-./]{1,2} ?| ?\) ?[-./]? ?| ?\( ?| )"
_ANY: Final = rf"\d(?:{_GAP}?\d){{6,12}}"
_SEP: Final = r"(?: ?[-./] ?| )"

_SHAPES: Final = (
    # With the code of a country.
    rf"\(\+[1-9]\d{{0,2}}\)(?:{_GAP}?\d){{6,12}}|\+ ?\(?[1-9](?:{_GAP}?\d){{6,14}}",
    rf"00 ?[1-9](?:{_GAP}?\d){{8,13}}",
    # With a zero in front: French pairs, German and British codes, freephone.
    rf"0\d(?P<fr#>{_SEP})\d\d(?:(?P=fr#)\d\d){{3}}(?!{_SEP}?\d\d\d)",
    rf"\(0\d{{1,5}}\) ?[-./]? ?\d{{2,9}}(?:{_SEP}\d{{2,8}}){{0,4}}(?:-\d{{1,4}})?",
    r"0 [89]\d\d(?: \d{3}){2}|0 [89]\d\d(?: \d\d){3}|0 [1-9]\d{1,3}(?: ?[/-] ?\d{2,8}(?: \d{1,4}){0,4}| \d{5,8})",
    rf"\(0\) ?[1-9]\d+(?:{_SEP}\d{{2,8}}){{0,4}}",
    r"0\d{1,4} ?/ ?\d{4,8}(?:[ -]\d{1,5}){0,3}",
    r"0(?!00)\d{1,5}(?: ?/ ?)?(?:(?: ?[-.] ?| )?\(?\d{2,10}\)?){1,6}(?:-\d{1,4})?",
    # America.
    r"(?:1[-. ]?)?(?:\([2-9]\d\d\) ?[-.]? ?|[1-9]\d\d ?[-./ ] ?)\d{3} ?[-./ ] ?\d{4}",
    r"[2-9]\d\d[ ./-]\d{7}(?!-\d)|555[-. ]01\d\d|1[38]00[ -]\d{3}[ -]\d{3}",
    r"[1-9]\d[ -](?!(?:19|20)\d\d-(?:19|20)\d\d)9?\d{4}-\d{4}",
    # A code in brackets, no year.
    r"\((?!(?:19|20)\d\d\))[1-9]\d{1,3}\) ?(?:\d{2,5}(?:[ ./-]\d{2,5}){1,3}|\d{5,8})",
    # Russia, Spain, Norway, Poland, India, China.
    r"[78][- ]?\(?\d{3}\)?[- ]\d{3}[- ]\d\d[- ]\d\d",
    r"[5-9]\d\d(?P<es#>[ .-])\d\d(?P=es#)\d\d(?P=es#)\d\d|[5-9]\d(?P<eu#>[ .-])\d{3}(?P=eu#)\d\d(?P=eu#)\d\d",
    r"[2-9]\d\d-\d{3}-\d{3}|[49]\d\d \d\d \d{3}",
    r"[6-9]\d{4}[ -]\d{5}|1[3-9]\d[ -]\d{4}[ -]\d{4}",
    # One run of digits, as mobile numbers are written.
    r"0(?!00)\d{8,11}|[2-9]\d{9}|1[2-9]\d{9}|[78]9\d{9}|[67]\d{8}|91[6-9]\d{9}|447\d{9}|491[5-7]\d{8,9}",
)
_VANITY: Final = (
    r"(?:\+?1[-. ]\(?(?:8(?:00|[2-8]{2})|900)\)?[-. ]|(?<!\d)0?8(?:00|[2-8]{2})-)"
    r"(?i:(?=[A-Z\d-]{0,12}[A-Z]{3})[A-Z\d](?:-?[A-Z\d]){4,9}\b)"
)
_EXTENSION: Final = r"(?:;ext=\d{1,6}|,? ?(?i:x|ext|extn|extension|int|poste|dw|durchwahl|#)[.:]? ?\d{1,6})?"


#: Neither behind a digit nor an amount nor a decimal point; a dot behind a word is one of an abbreviation.
_NOT_INSIDE: Final = r"(?<![\d$€£¥₹])(?<![$€£¥₹] )(?<!\d[.,:/-])(?<![\d\s][.,])(?<!^[.,])"


def _shapes(place: str) -> str:
    """Return all shapes as one pattern; `place` makes the names of its groups its own."""
    return "(?:" + "|".join(_SHAPES).replace("#>", f"{place}>").replace("#)", f"{place})") + ")"


@cache
def _number() -> re.Pattern[str]:
    """Return the pattern of all numbers; to compile it takes longer than a command has to wait that masks nothing."""
    kinds = (
        rf"{_CUE}{_NO_DATE}(?P<cued>(?:{_shapes('c')}|[+(]{{0,2}}{_ANY}){_EXTENSION})(?!\d)",
        f"(?=[A-Za-z])(?:{'|'.join(_NAMED_NUMBERS)})",
        f"(?=[\\da-f])(?:{'|'.join(_OTHER_NUMBERS)})",
        rf"(?=[\d+(]){_NOT_INSIDE}(?P<phone>{_shapes('p')}{_EXTENSION})(?!\d)",
        rf"(?=[\d+])(?P<vanity>{_VANITY})",
    )
    return re.compile("|".join(kinds))


#: What a number behind a word such as "call" may be all the same.
_NOT_CALLED = re.compile("|".join((*_TIMES, _DECIMALS, r"[1-9]\d?(?: \d{3}){2,}|\d*0000")))
_UNIT = re.compile(
    r" ?(?:[%€$£¥₹°]|(?:USD|EUR|GBP|CHF|INR|km|kg|MB|GB|zł|kr|Mio|million|billion|people|views|followers)\b)"
)
_NO_WORD_BEFORE = re.compile(r"(?:^|[^A-Za-z_]|[A-Za-z][a-z])$")
_NOT_OF_NUMBER = re.compile(r"[A-Za-z#,]")
_ONE_DOT = re.compile(r"\+\d{1,3}\.\d{0,8}")
_FEWEST_DIGITS: Final = 7
_FEWEST_OF_NATIONAL: Final = 9
_FEWEST_WITHOUT_GAPS: Final = 9


def mask_phones(text: str) -> str:
    """Return `text`, its white space squeezed, with `[phone]` for phone numbers."""
    plain = plain_forms(text)
    pieces, end = list[str](), 0
    for match in _numbers(plain):
        if kind := _kind_of(match):
            pieces += text[end : match.start(kind)], "[phone]"
            end = match.end(kind)
    return "".join([*pieces, text[end:]]) if pieces else text


def _numbers(plain: str) -> Iterator[re.Match[str]]:
    """Yield what is a number of any kind, from left to right; only around digits it is looked for."""
    seen = 0
    for cluster in _CLUSTER.finditer(plain):
        start, stop = max(seen, cluster.start() - _BEFORE), cluster.end() + _BEHIND
        while seen < cluster.end() and (match := _number().search(plain, start, stop)):
            yield match
            start = seen = max(match.end(), start + 1)


def _kind_of(match: re.Match[str]) -> str | None:
    """Return the group that holds a phone number; None where the match is a number of another kind."""
    if match["vanity"]:
        return "vanity"
    if match["cued"]:
        return "cued" if not _NOT_CALLED.fullmatch(match["cued"]) else None
    return "phone" if match["phone"] and _is_phone(match) else None


def _is_phone(match: re.Match[str]) -> bool:
    """Whether what has the shape of a phone number, and no word before it that says so, is one."""
    number = _NOT_OF_NUMBER.split(match["phone"], 1)[0].strip()
    digits = sum(map(str.isdecimal, number))
    before, behind = match.string[: match.start("phone")][-2:], match.string[match.end("phone") :][:12]
    if number.isdecimal():  # one run of digits might be any number
        return not (digits < _FEWEST_WITHOUT_GAPS or number.endswith("0000") or _is_glued(before, behind))
    if number.startswith(("+", "(+")):
        has_gaps = not number.lstrip("(+").isdecimal()
        is_number = number.endswith("0000") or digits < _FEWEST_WITHOUT_GAPS
        return digits >= _FEWEST_DIGITS and not (_ONE_DOT.fullmatch(number) or (is_number and not has_gaps))
    if not _NO_WORD_BEFORE.search(before):
        return False
    if number[0] == "0":
        return digits >= (_FEWEST_DIGITS if "/" in number else _FEWEST_OF_NATIONAL)
    return digits >= _FEWEST_DIGITS and not _UNIT.match(behind)


def _is_glued(before: str, behind: str) -> bool:
    """Whether a run of digits belongs to a code (`A0123456789`, `#0123456789`), or has a unit behind it."""
    letters = before[-1:] + behind[:1]
    return any(letter.isascii() and (letter.isalpha() or letter in "_#") for letter in letters) or bool(
        _UNIT.match(behind)
    )
