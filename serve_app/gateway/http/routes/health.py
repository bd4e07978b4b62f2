"""Whether the model answers, without a key: `GET /health` of Text Embeddings Inference."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

#: A result is reused for this many seconds, so that requests without a key cannot put load on the model.
FRESH_S: Final = 1.0
#: Seconds after which a model that has not answered counts as unhealthy.
PATIENCE_S: Final = 5.0


class ModelHealth:
    """Probes the model at most once a second. `answers` makes a prediction; `clock` returns seconds."""

    def __init__(self, answers: Callable[[], Awaitable[bool]], clock: Callable[[], float]) -> None:
        self._answers, self._clock = answers, clock
        self._lock = asyncio.Lock()
        self._probed_s = float("-inf")
        self._is_well = False

    async def is_well(self) -> bool:
        """Whether the model answers now, or did within the last second."""
        async with self._lock:
            if self._clock() - self._probed_s >= FRESH_S:
                self._is_well = await self._probe()
                self._probed_s = self._clock()
            return self._is_well

    async def _probe(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._answers()
        except TimeoutError:
            return False
