"""Callers of `/v1/predict` that send a text a request, at a steady rate or as fast as they are answered."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.benchmarks.load import Connections, request
from tests.benchmarks.texts import unique_texts
from tests.running_platform import RunningPlatform

_CONNECTIONS: Final = 64
_LONG_MS: Final = 1000


@dataclass(frozen=True)
class Answer:
    """When a request left, how long it took, its status (0: none) and the version that answered."""

    sent_s: float
    took_ms: float
    status: int
    version: int


class Callers:
    """Sends texts of its own until told to stop."""

    def __init__(self, platform: RunningPlatform, texts: Iterator[str], rps: float) -> None:
        self.answers: list[Answer] = []
        self._texts, self._rps, self._stopped = texts, rps, False
        self._address = ("127.0.0.1", platform.port)
        self._connections = Connections(*self._address)

    def between(self, first_s: float, last_s: float) -> list[Answer]:
        """Return the answers to requests that left between two times."""
        return [answer for answer in self.answers if first_s <= answer.sent_s <= last_s]

    def took_ms(self, first_s: float, last_s: float) -> list[float]:
        """Return how long these took."""
        return [answer.took_ms for answer in self.between(first_s, last_s)]

    @property
    def failed(self) -> int:
        """How many requests were not answered with 200."""
        return sum(answer.status != 200 for answer in self.answers)

    def counts(self) -> dict[str, int]:
        """Return how many requests left, failed, and took long."""
        over_1_s = sum(answer.took_ms > _LONG_MS for answer in self.answers)
        return {"requests": len(self.answers), "failed": self.failed, "over_1_s": over_1_s}

    async def __aenter__(self) -> Callers:
        work = [self._steadily()] if self._rps else [self._as_fast_as_it_goes() for _ in range(_CONNECTIONS)]
        self._tasks = [asyncio.create_task(each) for each in work]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopped = True
        await asyncio.gather(*self._tasks)
        self._connections.close()

    async def _steadily(self) -> None:
        sent: set[asyncio.Task[None]] = set()
        due_s = time.monotonic()
        while not self._stopped:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            sent.add(asyncio.create_task(self._send()))
            due_s += 1 / self._rps
        await asyncio.gather(*sent)

    async def _as_fast_as_it_goes(self) -> None:
        while not self._stopped:
            await self._send()

    async def _send(self) -> None:
        content = request(*self._address, "/v1/predict", {"text": next(self._texts)})
        sent_s, status, version = time.monotonic(), 0, 0
        try:
            status, body = await self._connections.ask(content)
            version = json.loads(body)["model"]["version"] if status == 200 else 0
        except (OSError, asyncio.IncompleteReadError):
            pass
        self.answers.append(Answer(sent_s, (time.monotonic() - sent_s) * 1000, status, version))


def endless_texts() -> Iterator[str]:
    """Yield texts of which no two are equal, so that no cache answers."""
    return itertools.chain.from_iterable(map(_numbered, itertools.count()))


def _numbered(round_number: int) -> list[str]:
    return [f"{text} {round_number}" for text in unique_texts(5000, seed=1)]
