"""Types of short texts from clients. Those that are stored beside a text are masked as the text is."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints

from sentiment.text import CURRENT_NORMALIZER, NO_WORDS, NORMALIZERS

PRINTABLE_PATTERN: Final = r"^[^\x00-\x1f]+$"


def _masked(value: str) -> str:
    if value.isascii() and value.isalpha():
        return value
    masked = NORMALIZERS[CURRENT_NORMALIZER](value)
    if not masked:
        raise ValueError(NO_WORDS)
    return masked


ShortText = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=PRINTABLE_PATTERN)]
ShortName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PRINTABLE_PATTERN)]
Source = Annotated[ShortText, AfterValidator(_masked)]
Topic = Annotated[ShortName, AfterValidator(_masked)]
