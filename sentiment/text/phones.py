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
from sentiment.text.cues import CUES, SIGNS, SMALL_WORDS

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
_PAPERS: Final = r"(?:invoices?|receipt|rechnung|facture|factura|fattura|(?:my|your|our|this|an) order)"
_DRAWS: Final = (
    r"(?:lott[oe]\w*|loto|euromillions|powerball|(?:lucky|winning) numbers?|numéros gagnants|gewinnzahlen|lottozahlen)"
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
    rf"\b(?i:{_PAPERS}[ :#.]{{0,3}})\d+(?:[ ./-][\dA-Z]+)*",
    rf"\b(?i:{_DRAWS})\W{{0,3}}(?:[a-z]+\W{{1,3}}){{0,2}}\d\d?(?:[ ,-]+\d\d?(?!\d))*",
    r"\b[A-Z]{2}\d{2}(?: ?[A-Z\d]{4}){2,7}(?: ?[A-Z\d]{1,4})?\b",  # IBAN
)
_OTHER_NUMBERS: Final = (
    r"\b\d\d(?P<pair>[ -])\d\d(?:(?P=pair)\d\d){4,}(?!\d)",  # drawn numbers
    r"\b97[89][- ]?\d(?:[- ]?\d){8}[- ]?[\dXx]\b",  # ISBN
    r"\b[2-6]\d{3}(?P<card>[ -])\d{4}(?P=card)\d{4}(?P=card)\d{4}\b|\b3[47]\d\d[ -]\d{6}[ -]\d{5}\b",
    r"\b[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}\b",
    r"\b(?:\d|[1-9]\d|1\d\d|2\d\d)(?:\.(?:\d|[1-9]\d|1\d\d|2\d\d)){3}(?::\d+)?(?!\.?\d)",  # IPv4
    r"\b(?:214748364[78]|429496729[56]|4294967296|18446744073709551615)\b",  # bounds of 32 and 64 bits
    r"(?<![\d-])0\d{4}-\d{4}(?![\d-])",  # ZIP+4
    r"\b0\d\d(?P<zero>[ -])0\d\d(?:(?P=zero)0\d\d)+(?!\d)|\b[1-9]00(?:-[1-9]00){2,}(?!\d)",
    *_TIMES,
    _DECIMALS,
    r"(?<![\d.])[1-9]\d{0,2}(?:[ .]\d{3}){2,}(?![ .-]?\d)",  # thousands
)
_CUE: Final = (
    rf"(?:(?<![^\W_])(?<!\[)(?=\D{{2,40}}\d)(?i:{CUES})(?![^\W\d_])\.?|{SIGNS})"
    rf"[^\w+(]{{0,4}}(?i:{SMALL_WORDS}[^\w+(]{{1,3}}){{0,3}}"
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
    rf"\(0\) ?[1-9]\d+(?:{_SEP}\d{{2,8}}){{0,4}}|0 ?\([1-9]\d{{1,4}}\) ?\d{{2,8}}(?:{_SEP}\d{{2,8}}){{0,4}}",
    r"0[1-9]\d{0,2}\) ?\d{3,4}[- ]?\d{4}|0[- ][89]00[- ]\d{3}[- ]\d{4}|0[1-9]\d{1,3}(?: \d\d){3} \d(?![ .,-]?\d)",
    r"0\d{1,4} ?/ ?\d{4,8}(?:[ -]\d{1,5}){0,3}",
    r"0(?!00)\d{1,5}(?: ?/ ?)?(?:(?: ?[-.] ?| )?\(?\d{2,10}\)?){1,6}(?:-\d{1,4})?",
    # America.
    r"(?:1[-. ]?)?(?:\([2-9]\d\d\) ?[-.]? ?|[1-9]\d\d ?[-./ ] ?)\d{3} ?[-./ ] ?\d{4}|1?\([2-9]\d\d\) ?\d{7}",
    r"(?:1[ .-])?[2-9]\d\d[ ./-]\d{7}(?!-\d)|555[-. ]01\d\d|1[38]00[ -]\d{3}[ -]\d{3}",
    r"[1-9]\d[ -](?!(?:19|20)\d\d-(?:19|20)\d\d)9?\d{4}-\d{4}",
    # A code in brackets, no year.
    r"\((?!(?:19|20)\d\d\))[1-9]\d{1,3}\) ?(?:\d{2,5}(?:[ ./-]\d{2,5}){1,3}|\d{5,9})",
    # Russia, Spain, Norway, Poland, India, China.
    r"[78][- ]?(?:\(\d{3,4}\)[- ]?\d{2,3}[- ]?|\(?\d{3}\)?[- ]\d{3}[- ])\d\d[- ]?\d\d",
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
    r" ?(?:[%€$£¥₹°]|(?:USD|EUR|GBP|CHF|INR|[kKMGT]i?B|km|kg|m[glm]|c[lm]|lbs|oz|k?cal|[kMG]?Hz|zł|kr|Mio|million|"
    r"billion|people|views|followers|sub(?:scriber)?s|users|likes|downloads|plays|streams|copies|dollars|euros|bytes|"
    r"bits)\b)"
)
_LUCKY = re.compile(r"[ ,:]*(?:are |were |as )?(?:my |our |the )?(?:lucky|winning|lotto|lottery)\b")
_COUNT = re.compile(r"\+[1-9]\d{0,2}(?:[ .]\d{3})+")
_ROUND = re.compile(r"\+[1-9]\d{0,2}(?:[ .]\d{3})*(?:[ .]000){2}")
#: `2^32 = 4294967296` and `9 * 5 = …` are sums.
_SUM = re.compile(r"[\d)\]] ?= ?$")
_NO_WORD_BEFORE = re.compile(r"(?:^|[^A-Za-z_]|[A-Za-z][a-z])$")
_NOT_OF_NUMBER = re.compile(r"[A-Za-z#,]")
_ONE_DOT = re.compile(r"\+\d{1,3}\.\d{0,8}")
_FEWEST_DIGITS: Final = 7
_FEWEST_OF_NATIONAL: Final = 9
_FEWEST_WITHOUT_GAPS: Final = 9
_FEWEST_IN_HASHTAG: Final = 10


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
    position = 0
    for cluster in _CLUSTER.finditer(plain):
        start, stop = max(position, cluster.start() - _BEFORE), cluster.end() + _BEHIND
        while position < cluster.end() and (match := _number().search(plain, start, stop)):
            yield match
            start = position = max(match.end(), start + 1)


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
    start, end = match.span("phone")
    before, behind = match.string[max(start - 4, 0) : start], match.string[end : end + 24]
    if number.isdecimal():  # one run of digits might be any number
        is_short = digits < (_FEWEST_IN_HASHTAG if before.endswith("#") else _FEWEST_WITHOUT_GAPS)
        return not (is_short or number.endswith("0000") or _is_glued(before, behind) or _SUM.search(before))
    if _LUCKY.match(behind) or _is_count(number, behind):
        return False
    if number.startswith(("+", "(+")):
        has_gaps = not number.lstrip("(+").isdecimal()
        is_number = number.endswith("0000") or digits < _FEWEST_WITHOUT_GAPS
        return digits >= _FEWEST_DIGITS and not (_ONE_DOT.fullmatch(number) or (is_number and not has_gaps))
    if not _NO_WORD_BEFORE.search(before):
        return False
    if number[0] == "0":
        return digits >= (_FEWEST_DIGITS if "/" in number else _FEWEST_OF_NATIONAL)
    return digits >= _FEWEST_DIGITS and not _UNIT.match(behind)


def _is_count(number: str, behind: str) -> bool:
    """Whether groups of three digits count something: `+150 000 000`, `+1 500 000 views`."""
    return bool(_ROUND.fullmatch(number) or (_COUNT.fullmatch(number) and _UNIT.match(behind)))


def _is_glued(before: str, behind: str) -> bool:
    """Whether a run of digits belongs to a code (`A0123456789`), or has a unit behind it."""
    letters = before[-1:] + behind[:1]
    return any(letter.isascii() and (letter.isalpha() or letter == "_") for letter in letters) or bool(
        _UNIT.match(behind)
    )
