"""The language of an example: a code as ISO 639 and BCP 47 have them, and nothing else, since it is stored as it is."""

from __future__ import annotations

import re
from typing import Final

from sentiment.errors import InvalidInput

_CODE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8}){0,3}")
_MISSING: Final = frozenset({"", "nan", "null", "none", "n/a", "<na>"})
_SHOWN_CHARACTERS: Final = 40


def language_code(raw: str, where: str) -> str:
    """Return the code that a language's cell holds, empty if it holds none. `where` names the row in errors.

    Raises:
        InvalidInput: it is no code: a name of a language, or something else altogether.
    """
    value = raw.strip()
    if value.casefold() in _MISSING:
        return ""
    if _CODE.fullmatch(value):
        return value
    shortened = value if len(value) <= _SHOWN_CHARACTERS else f"{value[: _SHOWN_CHARACTERS - 1]}…"
    raise InvalidInput(
        f"{where} has the language {shortened!r}, which is not a code such as en, de or pt-BR: write codes, or leave "
        "out --language-column.",
        "language_column",
    )
