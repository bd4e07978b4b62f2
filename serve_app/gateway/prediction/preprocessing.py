"""Cleans small micro-batches in the gateway, where the Preprocessor's function costs less than a call to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sentiment.records import CleanText, RawText

#: Most characters that are cleaned here: some forty tweets, about two milliseconds of the event loop.
_MOST: Final = 6000
#: The fixed cost of a text, in characters.
_OF_A_TEXT: Final = 40
#: Longest text that is cleaned here. Combining characters take time by their number's square: 2 ms for this many.
_LONGEST: Final = 1024


@dataclass(frozen=True)
class Preprocessing:
    """Cleans small micro-batches in this process, and larger ones by a call."""

    there: Callable[[list[RawText], str], Awaitable[list[CleanText]]]
    """Calls the Preprocessor."""
    here: Callable[[RawText, str], CleanText]
    """Cleans one text in this process."""

    async def __call__(self, texts: list[RawText], normalizer: str) -> list[CleanText]:
        """Return the texts normalised, masked and hashed, in order."""
        if _is_small(texts):
            return [self.here(raw, normalizer) for raw in texts]
        return await self.there(texts, normalizer)


def _is_small(texts: Sequence[RawText]) -> bool:
    sizes = [len(raw.text) + len(raw.author or "") + sum(map(len, raw.topics)) for raw in texts]
    return max(sizes, default=0) <= _LONGEST and sum(sizes) + _OF_A_TEXT * len(sizes) <= _MOST
