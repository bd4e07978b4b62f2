"""Decides whether refused or late requests count against the candidate or are explained by overload.

**Refused texts.** Once the challenger has all the traffic, nobody knows whether the champion would have refused the
same texts. So the challenger is compared with the champion's best ten seconds of its last ten minutes with traffic, for
texts of about the same length. A challenger that refuses texts works at its limit: if its throughput is lower, it is
too slow. If it is not lower, the traffic has grown, and the champion would have refused texts too. Single texts are not
counted where the ingress fills one gateway first: that gateway then gets more than its share of them.

**Late texts.** A candidate is late if its texts wait longer than the gateway's patience. If the texts of the trusted
version wait as long, the machine is overloaded and the candidate is excused; but only for a few calls, because a slow
candidate makes all others wait too.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from serve_app.gateway.inference.request import InferenceOutcome, InferenceRequest, InferenceResult

_SPAN_S: Final = 10
_SPANS: Final = 60
#: Calls at its limit after which a version is compared.
LEAST_CALLS: Final = 10
#: The share of the champion's throughput that suffices, since texts and measurements vary.
ENOUGH: Final = 0.8
_LATELY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Work:
    """Sums over calls of one version: their texts, characters and seconds, and the number of calls."""

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
        """Mean length of its texts as a power of two. A character costs more in short texts: equal sizes compare."""
        return (self.characters // self.texts).bit_length() if self.texts else 0


@dataclass(eq=False)
class ThroughputBaseline:
    """The throughput of versions at one gateway. Belongs to one event loop; `now_s` are seconds of a steady clock."""

    in_flight: int
    """Calls that the gateway has under way at once while it refuses texts."""
    _work: dict[tuple[int, int], Counter[int]] = field(default_factory=dict)
    _work_at_limit: dict[tuple[int, int], Work] = field(default_factory=dict)
    _waits: deque[tuple[float, float]] = field(default_factory=deque)
    _has_refused: bool = False

    def record_wait(self, seconds: float, now_s: float) -> None:
        """Record the longest time that a text of a trusted version's micro-batch took, waiting included."""
        self._waits.append((now_s, seconds))

    def longest_wait_s(self, now_s: float) -> float:
        """Return the longest time that a text of the trusted version took, within the last two seconds."""
        while self._waits and self._waits[0][0] < now_s - _LATELY_S:
            self._waits.popleft()
        return max((seconds for _, seconds in self._waits), default=0.0)

    def record_work(self, version: int, work: Work, now_s: float) -> None:
        """Record the work of a version that answers as the champion, or while no rollout is under way."""
        span = int(now_s // _SPAN_S)
        spans = self._work.setdefault((version, work.size), Counter())
        if span not in spans:
            for characters_of in self._work.values():
                for old in [each for each in characters_of if each <= span - _SPANS]:
                    del characters_of[old]
        spans[span] += work.characters

    def forget_others(self, versions: Collection[int]) -> None:
        """Forget the work of all versions but these."""
        self._work = {key: spans for key, spans in self._work.items() if key[0] in versions}
        self._work_at_limit = {key: work for key, work in self._work_at_limit.items() if key[0] in versions}

    def record_refusal(self) -> None:
        """Record that texts were refused because too many wait. All refusals between two calls are one event."""
        self._has_refused = True

    def counts_refusal(self, version: int, champion: int, work: Work) -> bool:
        """Record a call of the challenger that has all the traffic; return whether refusals before it count against it.

        They do once enough calls after refusals have shown that its throughput is lower than the champion's was.
        """
        if not self._has_refused or not work.calls:
            return False
        self._has_refused = False
        key = (version, work.size)
        total = self._work_at_limit[key] = self._work_at_limit.get(key, Work()) + work
        if total.calls < LEAST_CALLS or not total.seconds:
            return False
        best = max(self._work.get((champion, work.size), Counter()).values(), default=0) / _SPAN_S
        return self.in_flight * total.characters / total.seconds < ENOUGH * best


def work_of(version: int, requests: Sequence[InferenceRequest], own_results: Sequence[InferenceOutcome]) -> Work:
    """Return the work of a version in one micro-batch, without answers from the cache or from other calls."""
    own = [
        (len(request.text), outcome.call_ms)
        for request, outcome in zip(requests, own_results, strict=True)
        if isinstance(outcome, InferenceResult) and outcome.route.version == version and outcome.call_ms is not None
    ]
    times = {call_ms for _, call_ms in own}  # all texts of a call have the same duration
    return Work(len(own), sum(length for length, _ in own), sum(times) / 1000, len(times))
