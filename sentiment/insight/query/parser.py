"""Reads a search as people write it.

    climate change              both words                      "climate change"      one after the other
    flood or fire               at least one                    near(3, climate fire) at most 3 words apart
    not rain                    without it                      near(5, "heat wave" (fire or flood))
    (flood or fire) not rain    brackets group                  #climate              a topic, as topic:climate
    tone < -0.5                 by sentiment, −1 to 1           label:negative lang:en source:rss author:ann version:3

`not` binds before `and`, `and` before `or`; all three work in any case. Neighbours without a word between them are
joined by `and`. A word that falls into several, such as don't, is a phrase. An empty search finds everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from sentiment.errors import InvalidInput
from sentiment.insight.query.conditions import AllOf, AnyOf, Condition, Not, phrases_in
from sentiment.insight.query.terms import NEAR_FORM, field_is, near, phrase, tone, topic, wrong
from sentiment.insight.values import Query
from sentiment.insight.words import whole_characters

MAX_CHARACTERS: Final = 1000
MAX_DEPTH: Final = 20
MAX_NEAR_PHRASES: Final = 200

#: All that depends on what stands inside a token is read by `terms`, so that its message can name the mistake.
_GRAMMAR: Final = r"""
    ?start: either
    ?either: both (_OR both)*
    ?both: one (_AND? one)*
    ?one: _NOT one -> negated
        | _OPEN either _CLOSE
        | QUOTED -> phrase
        | WORD -> phrase
        | HASHTAG -> hashtag
        | FIELD -> field
        | TONE -> tone
        | NEAR operand operand _CLOSE -> near
    operand: named | _OPEN named (_OR named)* _CLOSE
    ?named: QUOTED | WORD

    NEAR.4: /near\s*\(\s*[^\s,()"]*\s*,?/i
    TONE.4: /tone\s*(?=[<>=])[<>=]+\s*[^\s()"]*/i
    FIELD.4: /[a-z_]+:\s*("[^"]*"|[^\s()"]+)?/i
    _AND.3: /and(?=[\s()"]|$)/i
    _OR.3: /or(?=[\s()"]|$)/i
    _NOT.3: /not(?=[\s()"]|$)/i
    HASHTAG.2: /#[^\s()"]+/
    QUOTED.2: /"[^"]*"/
    WORD: /[^\s()"]+/
    _OPEN: "("
    _CLOSE: ")"
    %ignore /\s+/
"""

#: What telephones and other scripts write for quotation marks and brackets, each one character as here.
_PLAIN: Final = str.maketrans(dict.fromkeys("“”„‟«»＂", '"') | {"（": "(", "）": ")", "：": ":", "＃": "#"})
_OPENS_NEAR: Final = re.compile(r"near\s*\(", re.IGNORECASE)
_QUOTED: Final = re.compile(r'"[^"]*"')


def parse_query(text: str, author_key: Callable[[str], str]) -> Query:
    """Return what a search means; `author_key` gives the key under which an author's texts are kept.

    Raises:
        InvalidInput: the search cannot be read (`q`); the message names the position of the character, from 1.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidInput(f"q has {len(text):,} characters, more than {MAX_CHARACTERS:,}; shorten it.", "q")
    plain = whole_characters(text).translate(_PLAIN)
    if not plain.strip():
        return Query(text)
    _check_depth(plain)
    try:
        tree = _parser().parse(plain)
    except UnexpectedInput as exc:
        raise _explained(exc, plain) from None
    condition = _condition(tree, author_key)
    if (phrases := phrases_in(condition)) > MAX_NEAR_PHRASES:
        raise InvalidInput(
            f"q asks by near for {phrases} phrases, more than {MAX_NEAR_PHRASES}; lower the distance of those with"
            " phrases or a word twice, or name fewer.",
            "q",
        )
    return Query(text, condition)


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", lexer="basic")


def _check_depth(text: str) -> None:
    depth = 0
    for place, character in enumerate(_QUOTED.sub(lambda quoted: " " * len(quoted[0]), text)):
        depth += (character == "(") - (character == ")")
        if depth > MAX_DEPTH:
            raise wrong(place, f"brackets are nested deeper than {MAX_DEPTH}; leave some out")


def _condition(node: Tree[Token], author_key: Callable[[str], str]) -> Condition:
    match node.data:
        case "either":
            return AnyOf(tuple(_condition(part, author_key) for part in node.children if isinstance(part, Tree)))
        case "both":
            return AllOf(tuple(_condition(part, author_key) for part in node.children if isinstance(part, Tree)))
        case "negated":
            [part] = (_condition(part, author_key) for part in node.children if isinstance(part, Tree))
            return part.part if isinstance(part, Not) else Not(part)
        case "near":
            return _near(node)
    [token] = (child for child in node.children if isinstance(child, Token))
    return field_is(token, author_key) if node.data == "field" else _TERMS[node.data](token)


def _near(node: Tree[Token]) -> Condition:
    [opening] = (child for child in node.children if isinstance(child, Token))
    left, right = (
        [name for name in operand.children if isinstance(name, Token)]
        for operand in node.children
        if isinstance(operand, Tree)
    )
    return near(opening, left, right)


_TERMS: Final[Mapping[str, Callable[[Token], Condition]]] = {"phrase": phrase, "hashtag": topic, "tone": tone}


def _explained(exc: UnexpectedInput, text: str) -> InvalidInput:
    """Return what is wrong in plain words, in place of the parser's names from its grammar."""
    if isinstance(exc, UnexpectedCharacters):  # every other character begins some token
        return wrong(exc.pos_in_stream or 0, "the quotation mark is not closed")
    if not isinstance(exc, UnexpectedToken):
        return wrong(len(text), "the search ends too early; add a word")
    expected, token = exc.accepts or exc.expected, exc.token
    if token.type == "$END":
        missing = "a bracket is open; add )" if "_CLOSE" in expected else "a word, a phrase or ( must follow"
        return wrong(len(text.rstrip()), f"the search ends here, but {missing}")
    place = token.start_pos or 0
    if _OPENS_NEAR.search(text[:place]) and "HASHTAG" not in expected:
        return wrong(place, f"{_shown(token)} cannot stand here; {NEAR_FORM}")
    if token.type == "_CLOSE" and "$END" in expected:
        return wrong(place, "this ) has no ( before it; leave it out")
    return wrong(place, f"{_shown(token)} cannot stand here; expected a word, a phrase or (")


def _shown(token: Token) -> str:
    return f"'{token.strip()}'"
