"""Whether the model answers, for whoever asks without a key: `GET /health` of Text Embeddings Inference."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

#: Seconds for which an answer of the model serves all who ask: nobody can have it work by asking.
FRESH_S: Final = 1.0
#: Seconds after which a model that has not answered is not well.
PATIENCE_S: Final = 5.0


class ModelHealth:
    """Asks the model at most once a second. `answers` makes a prediction; `clock` tells seconds."""

    def __init__(self, answers: Callable[[], Awaitable[bool]], clock: Callable[[], float]) -> None:
        self._answers, self._clock = answers, clock
        self._lock = asyncio.Lock()
        self._asked_at_s = float("-inf")
        self._is_well = False

    async def is_well(self) -> bool:
        """Whether the model answers now, or did within the last second."""
        async with self._lock:
            if self._clock() - self._asked_at_s >= FRESH_S:
                self._is_well = await self._ask()
                self._asked_at_s = self._clock()
            return self._is_well

    async def _ask(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._answers()
        except TimeoutError:
            return False
