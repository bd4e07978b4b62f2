"""Masks links, mail addresses and user names, as people write them: glued to a word, without a scheme, with dots."""

from __future__ import annotations

import re
from typing import Final

from sentiment.text.characters import MARKS

#: Letters of host names and mail addresses. Scripts that write no spaces are left out, or a sentence would be taken.
_LETTERS: Final = r"0-9A-Za-z_\xaa-\u024f\u0370-\u052f"
_HOST: Final = rf"[{_LETTERS}-]++(?:\.[{_LETTERS}-]++)++"
_AT: Final = "[@\uff20\ufe6b]"
_SCHEME: Final = r"(?:https?|hxxps?|ftps?|sftp|wss?)://"

#: What a link goes on with: what is not white space, nor a picture, which says how somebody feels.
_ON: Final = r"[^\s\u2600-\u27bf\U0001f000-\U0001faff]"

_LINK = re.compile(
    rf"{_SCHEME}{_ON}+"
    rf"|(?<![^\W_])(?![a-z\d+.-]{{0,22}}{_SCHEME})[a-z][a-z\d+.-]{{1,20}}://{_ON}+"
    rf"|(?<![^\W_])www\d?\.{_ON}+|(?<![aw])www\d?\.(?=[\w-]+\.\w){_ON}+"
    rf"|(?<![\w.])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?::\d{{2,5}}/{_ON}*|/[a-z]{_ON}*)"
    rf"|pic\.(?:twitter|x)\.com/{_ON}+"  # glued to the last word by who copies a post
    rf"|(?<![{_LETTERS}-])(?<![{_LETTERS}-]\.)(?![{_LETTERS}-]+pic\.(?:twitter|x)\.com)(?P<host>(?://)?(?:[{_LETTERS}-]++\.)++(?P<top>[^\W\d_]{{2,24}}+|xn--[a-z\d-]+))"
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
_USER = re.compile(
    rf"(?<![@\uff20\ufe6b{_LETTERS}]){_AT}++(?!\d{{1,2}}(?:[:.]\d\d)?(?:[ap]m?|h|uhr)?(?!\w)){_NAME}(?:{_AT}++{_NAME})*+",
    re.IGNORECASE,
)
#: Reddit's `/u/name`; without the first slash a name that is no word.
_REDDITOR = re.compile(r"(?<![\w/.])(?:/u/[\w-]{3,20}|u/(?=[a-z]*[\d_-])[\w-]{3,20})(?![\w/])", re.IGNORECASE)

#: Domains at the top that a link without a scheme may have: those of countries, and the common others.
_COUNTRIES: Final = (
    "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca "
    "cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo "
    "fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je "
    "jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo "
    "mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt "
    "pw py qa re ro rs ru rw sa sb sc sd se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk "
    "tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw"
)
_OTHERS: Final = (
    "academy agency app art asia bar berlin bio biz blog boutique cafe care cat center chat church city cloud "
    "club com community company cool dance deals design dev digital direct earth education email engineering "
    "events example expert express family fans farm fashion finance fit foundation fun fund fyi gallery game "
    "games garden gay global gmbh gold gov group guide guru health help host house inc info institute int "
    "international invalid invest ist jobs jetzt kitchen koeln land legal life link live local localhost lol "
    "london love ltd management market marketing media men menu mil mobi moda money museum music name net network "
    "news ninja nyc one online ooo org page paris partners parts party photo photography photos pics pictures "
    "plus post press pro productions pub radio red restaurant review reviews rip rocks run sale school science "
    "services sex sexy shop show site social software solutions space store stream studio style support systems "
    "team tech technology test tips today tools top tours town toys trade training travel tube vegas video vip "
    "vision watch web wedding wiki wien win work works world wtf xxx xyz yoga zone edu"
)
_TOPS: Final = frozenset(f"{_COUNTRIES} {_OTHERS}".split())
_ODD_IN_PATHS = re.compile(r"[\d/_=?%#&+~-]")


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
    """Whether what ends in `top` is a host: `great.And/or` is none; an unknown top needs an odd path."""
    known = top.lower() in _TOPS or not top.isascii() or top.lower().startswith("xn--")
    of_one_case = top in (top.lower(), top.upper())
    return of_one_case and (known or bool(_ODD_IN_PATHS.search(path or "")))
