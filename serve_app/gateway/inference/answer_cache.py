"""A cache of answers by model version and text; equal texts in flight share one forward pass."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

Key = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """A version's answer to a text."""

    probabilities: tuple[float, ...]
    """One per label, in the order of the version's labels."""
    truncated: bool
    """Whether parts of the text were left out because it is too long."""
    language: str | None = None
    """ISO 639 code; None where it cannot be identified."""
    supported: bool = True
    """False where the version cannot read the text and answers by its prior."""


def text_digest(text: str) -> bytes:
    """Return the 16 bytes that identify a normalised text in the cache, which holds no texts."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


@dataclass(eq=False)
class AnswerCache:
    """A cache of at most `capacity` answers, least recently used out first. Belongs to one event loop."""

    capacity: int
    _answers: OrderedDict[Key, CachedAnswer] = field(default_factory=OrderedDict)
    _in_flight: dict[Key, asyncio.Future[CachedAnswer]] = field(default_factory=dict)

    def get(self, key: Key) -> CachedAnswer | None:
        """Return the cached answer, None if there is none."""
        answer = self._answers.get(key)
        if answer is not None:
            self._answers.move_to_end(key)
        return answer

    def join(self, key: Key) -> asyncio.Future[CachedAnswer] | None:
        """Return the future of an equal text in flight, None if there is none."""
        return self._in_flight.get(key)

    def begin(self, key: Key) -> asyncio.Future[CachedAnswer]:
        """Announce that the answer to `key` is being computed; `finish` or `fail` must follow."""
        future: asyncio.Future[CachedAnswer] = asyncio.get_running_loop().create_future()
        self._in_flight[key] = future
        return future

    def finish(self, key: Key, answer: CachedAnswer) -> None:
        """Give the answer to all that joined, and cache it."""
        future = self._in_flight.pop(key)
        future.set_result(answer)
        if self.capacity:
            self._answers[key] = answer
            if len(self._answers) > self.capacity:
                self._answers.popitem(last=False)

    def fail(self, key: Key, error: BaseException) -> None:
        """Give the error to all that joined; nothing is cached."""
        future = self._in_flight.pop(key)
        future.set_exception(error)
        future.exception()  # else asyncio logs it as never retrieved where nobody joined

    def forget(self, digest: bytes) -> None:
        """Drop the answers of all versions to one text."""
        for key in [key for key in self._answers if key[1] == digest]:
            del self._answers[key]

    def clear(self) -> None:
        """Drop all answers."""
        self._answers.clear()
