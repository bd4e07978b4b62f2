"""Decides whether refused or late requests count against the candidate or are explained by overload.

Nobody knows what the champion would have done with texts that a gateway refuses while another version has all the
traffic. What it did before is known: the most that it worked out in ten seconds of the last ten minutes in which it had
traffic, of texts about as long. A version that works at its limit, which it does while texts are refused, and gets
through less than that is too slow for this traffic. One that gets through as much is not: the traffic has grown, and
the champion alone would have refused texts too. Where the ingress gives single texts to one gateway as long as it
suffices, what that one carried of them is more than its part, and is not counted: only calls of many texts are refused.

A version on trial is late where its texts wait longer than a gateway's patience. While those for the trusted version
take that long as well, it is the machine that is late, and no version; for a few calls, since a slow version makes all
others wait too.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from serve_app.gateway.inference.request import InferenceOutcome, InferenceRequest, InferenceResult

_SPAN_S: Final = 10
_SPANS: Final = 60
#: Calls under pressure that a version is judged by.
LEAST_CALLS: Final = 10
#: What a version must get through of what the champion did: texts differ, and so do two measurements.
ENOUGH: Final = 0.8
_LATELY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Work:
    """Calls of one version: their texts and characters, the seconds that they took, and how many they were."""

    texts: int = 0
    characters: int = 0
    seconds: float = 0.0
    calls: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.texts + other.texts,
            self.characters + other.characters,
            self.seconds + other.seconds,
            self.calls + other.calls,
        )

    @property
    def size(self) -> int:
        """How long its texts are, to a factor of two: shorter ones cost more a character, cut ones less."""
        return (self.characters // self.texts).bit_length() if self.texts else 0


@dataclass(eq=False)
class ThroughputBaseline:
    """What one gateway sees, which has `in_flight` calls under way at once while it refuses texts.

    Belongs to one event loop; `now_s` are seconds of a steady clock.
    """

    in_flight: int
    _carried: dict[tuple[int, int], Counter[int]] = field(default_factory=dict)
    _pressed: dict[tuple[int, int], Work] = field(default_factory=dict)
    _waits: deque[tuple[float, float]] = field(default_factory=deque)
    _refused: bool = False

    def waited(self, seconds: float, now_s: float) -> None:
        """Note the longest that a text of a micro-batch for the trusted version took, its waiting included."""
        self._waits.append((now_s, seconds))

    def longest_s(self, now_s: float) -> float:
        """Return the longest that a text for the trusted version took in the last two seconds."""
        while self._waits and self._waits[0][0] < now_s - _LATELY_S:
            self._waits.popleft()
        return max((seconds for _, seconds in self._waits), default=0.0)

    def carried(self, version: int, work: Work, now_s: float) -> None:
        """Note what a version worked out of the traffic that it was given as the champion, or without a rollout."""
        span = int(now_s // _SPAN_S)
        spans = self._carried.setdefault((version, work.size), Counter())
        if span not in spans:
            for known in self._carried.values():
                for old in [each for each in known if each <= span - _SPANS]:
                    del known[old]
        spans[span] += work.characters

    def keep(self, versions: Collection[int]) -> None:
        """Forget what is known of all other versions."""
        self._carried = {key: spans for key, spans in self._carried.items() if key[0] in versions}
        self._pressed = {key: work for key, work in self._pressed.items() if key[0] in versions}

    def refuse(self) -> None:
        """Note that texts were refused since too many wait. However many are between two calls, they are one event."""
        self._refused = True

    def tells_against(self, version: int, champion: int, work: Work) -> bool:
        """Take a call of the version that has the champion's traffic; return whether what was refused before it counts.

        It does once enough such calls have shown that the version gets through less than the champion did.
        """
        if not self._refused or not work.calls:
            return False
        self._refused = False
        key = (version, work.size)
        pressed = self._pressed[key] = self._pressed.get(key, Work()) + work
        if pressed.calls < LEAST_CALLS or not pressed.seconds:
            return False
        most = max(self._carried.get((champion, work.size), Counter()).values(), default=0) / _SPAN_S
        return self.in_flight * pressed.characters / pressed.seconds < ENOUGH * most


def work_of(version: int, requests: Sequence[InferenceRequest], own_results: Sequence[InferenceOutcome]) -> Work:
    """Return the work of a version in one micro-batch; what was known, or worked out for others, is none."""
    own = [
        (len(request.text), outcome.call_ms)
        for request, outcome in zip(requests, own_results, strict=True)
        if isinstance(outcome, InferenceResult) and outcome.route.version == version and outcome.call_ms is not None
    ]
    times = {call_ms for _, call_ms in own}  # the texts of one call bear its one time
    return Work(len(own), sum(length for length, _ in own), sum(times) / 1000, len(times))
