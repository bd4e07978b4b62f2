"""Answers to texts seen before, and one forward pass for equal texts in flight. Keyed by model version."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

Key = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """What a version said about a text: a probability per label, and whether windows of the text were cut.

    `language` is None where it cannot be told; the version cannot read a text that is not `supported`.
    """

    probabilities: tuple[float, ...]
    truncated: bool
    language: str | None = None
    supported: bool = True


def text_digest(text: str) -> bytes:
    """Return the 16 bytes that stand for a normalised text in the cache: no text is kept."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


@dataclass(eq=False)
class AnswerCache:
    """At most `capacity` answers, the longest unused one leaves first. Belongs to one event loop."""

    capacity: int
    _answers: OrderedDict[Key, CachedAnswer] = field(default_factory=OrderedDict)
    _in_flight: dict[Key, asyncio.Future[CachedAnswer]] = field(default_factory=dict)

    def get(self, key: Key) -> CachedAnswer | None:
        """Return the answer kept under `key`, if there is one."""
        answer = self._answers.get(key)
        if answer is not None:
            self._answers.move_to_end(key)
        return answer

    def join(self, key: Key) -> asyncio.Future[CachedAnswer] | None:
        """Return the future of an equal text in flight, if there is one."""
        return self._in_flight.get(key)

    def begin(self, key: Key) -> asyncio.Future[CachedAnswer]:
        """Announce that the answer to `key` is being worked out; `finish` or `fail` must follow."""
        future: asyncio.Future[CachedAnswer] = asyncio.get_running_loop().create_future()
        self._in_flight[key] = future
        return future

    def finish(self, key: Key, answer: CachedAnswer) -> None:
        """Give the answer to all who joined and keep it."""
        future = self._in_flight.pop(key)
        future.set_result(answer)
        if self.capacity:
            self._answers[key] = answer
            if len(self._answers) > self.capacity:
                self._answers.popitem(last=False)

    def fail(self, key: Key, error: BaseException) -> None:
        """Give the error to all who joined; nothing is kept."""
        future = self._in_flight.pop(key)
        future.set_exception(error)
        future.exception()  # retrieved: nobody may have joined

    def forget(self, digest: bytes) -> None:
        """Drop the answers of all versions to one text."""
        for key in [key for key in self._answers if key[1] == digest]:
            del self._answers[key]

    def clear(self) -> None:
        """Drop all answers."""
        self._answers.clear()
