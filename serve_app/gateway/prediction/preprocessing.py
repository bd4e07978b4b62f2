"""Cleans small micro-batches where they are gathered: the Preprocessor's function costs them less than a call to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sentiment.records import CleanText, RawText

#: How much is cleaned here, in about two milliseconds of the event loop: some forty tweets.
_MOST: Final = 6000
#: What a text costs beside its characters.
_OF_A_TEXT: Final = 40
#: To order the combining characters of a text takes time by their number's square: two milliseconds for so many.
_LONGEST: Final = 1024


@dataclass(frozen=True)
class Preprocessing:
    """Cleans by `here` what is little, a text at a time, and by a call of `there` what is more."""

    there: Callable[[list[RawText], str], Awaitable[list[CleanText]]]
    here: Callable[[RawText, str], CleanText]

    async def __call__(self, texts: list[RawText], normalizer: str) -> list[CleanText]:
        """Return the texts normalised, masked and hashed, in order."""
        if _is_little(texts):
            return [self.here(raw, normalizer) for raw in texts]
        return await self.there(texts, normalizer)


def _is_little(texts: Sequence[RawText]) -> bool:
    sizes = [len(raw.text) + len(raw.author or "") + sum(map(len, raw.topics)) for raw in texts]
    return max(sizes, default=0) <= _LONGEST and sum(sizes) + _OF_A_TEXT * len(sizes) <= _MOST
