"""What gateways count while a rollout is under way: additive, so that the controller sums what all of them saw."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

#: Disagreements that are kept with the ids of their texts.
MAX_EXAMPLES: Final = 20
#: Buckets a doubling: a percentile is at most 19 % above the true one.
_PER_OCTAVE: Final = 4
_SMALLEST_MS: Final = 0.125
_LAST_BUCKET: Final = 100  # 55 minutes, and whatever took longer


@dataclass(frozen=True, slots=True)
class Latencies:
    """Times in fixed logarithmic buckets: bucket k holds those above 0.125 · 2^((k−1)/4) ms, up to 0.125 · 2^(k/4)."""

    counts: Mapping[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many times were counted."""
        return sum(self.counts.values())

    def p(self, q: float) -> float | None:
        """Return the upper bound, in ms, of the bucket with the `q` quantile (0 to 1); None where nothing is."""
        wanted, seen = q * self.total, 0
        for bucket, count in sorted(self.counts.items()):
            seen += count
            if seen >= wanted:
                return bound_ms(bucket)
        return None

    def __add__(self, other: Latencies) -> Latencies:
        return Latencies(_summed(self.counts, other.counts))


@dataclass(frozen=True, slots=True)
class Arm:
    """What one version did: `requests` are the texts that it was asked about, those that it failed on (`errors`) too.

    A call that fails, or is not made because the version is late, is one request and one error: its texts are not
    independent. `latency` counts the milliseconds of each call that was answered. `confidence_sum` is the sum of its
    labels' probabilities over the texts answered, those from the cache too.
    What the champion was not there to answer, or answered, the version failed on alone: `unread` texts, `lost` calls.
    """

    requests: int = 0
    errors: int = 0
    latency: Latencies = field(default_factory=Latencies)
    answers_by_label: Mapping[str, int] = field(default_factory=dict)
    confidence_sum: float = 0.0
    unread: int = 0
    calls: int = 0
    lost: int = 0

    @property
    def answers(self) -> int:
        """How many texts it answered."""
        return sum(self.answers_by_label.values())

    def __add__(self, other: Arm) -> Arm:
        return Arm(
            self.requests + other.requests,
            self.errors + other.errors,
            self.latency + other.latency,
            _summed(self.answers_by_label, other.answers_by_label),
            self.confidence_sum + other.confidence_sum,
            self.unread + other.unread,
            self.calls + other.calls,
            self.lost + other.lost,
        )


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The id of a text with two labels, and their probabilities. Not the text: that one goes when it is deleted."""

    id: str
    champion_label: str
    champion_score: float
    challenger_label: str
    challenger_score: float


@dataclass(frozen=True, slots=True)
class Observations:
    """Counts of one stage of one rollout, by version (`arms`) and of texts that both versions answered.

    `compared` texts were mirrored: `disagreed` of them got two labels, `neutral_flips` of those with neutral as one of
    the two (the others went from negative to positive or back); `mirror_dropped` were to be mirrored and found the
    queue full. `labelled` texts got feedback; where one version alone was right, it is counted.
    """

    arms: Mapping[int, Arm] = field(default_factory=dict)
    compared: int = 0
    disagreed: int = 0
    neutral_flips: int = 0
    mirror_dropped: int = 0
    examples: tuple[Disagreement, ...] = ()
    labelled: int = 0
    only_champion_right: int = 0
    only_challenger_right: int = 0

    def arm(self, version: int) -> Arm:
        """Return what a version did; an empty one where it was not asked."""
        return self.arms.get(version, Arm())

    def __add__(self, other: Observations) -> Observations:
        versions = sorted({*self.arms, *other.arms})
        return Observations(
            arms={version: self.arm(version) + other.arm(version) for version in versions},
            compared=self.compared + other.compared,
            disagreed=self.disagreed + other.disagreed,
            neutral_flips=self.neutral_flips + other.neutral_flips,
            mirror_dropped=self.mirror_dropped + other.mirror_dropped,
            examples=(self.examples + other.examples)[:MAX_EXAMPLES],
            labelled=self.labelled + other.labelled,
            only_champion_right=self.only_champion_right + other.only_champion_right,
            only_challenger_right=self.only_challenger_right + other.only_challenger_right,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON's plain values; numbers that are keys become strings."""
        arms = {str(version): _arm_to_json(arm) for version, arm in self.arms.items()}
        return asdict(self) | {"arms": arms, "examples": [asdict(example) for example in self.examples]}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Observations:
        """Read the counts back."""
        arms = {int(version): _arm_from_json(row) for version, row in body["arms"].items()}
        examples = tuple(Disagreement(**row) for row in body["examples"])
        return cls(**{**body, "arms": arms, "examples": examples})


def bucket_of(elapsed_ms: float) -> int:
    """Return the bucket of `Latencies` that holds a time."""
    if elapsed_ms <= _SMALLEST_MS:
        return 0
    return min(_LAST_BUCKET, math.ceil(_PER_OCTAVE * math.log2(elapsed_ms / _SMALLEST_MS)))


def bound_ms(bucket: int) -> float:
    """Return the longest time that a bucket holds."""
    return float(_SMALLEST_MS * 2 ** (bucket / _PER_OCTAVE))


def _arm_to_json(arm: Arm) -> dict[str, Any]:
    latency = {str(bucket): count for bucket, count in arm.latency.counts.items()}
    return asdict(arm) | {"latency": latency}


def _arm_from_json(row: Mapping[str, Any]) -> Arm:
    latency = Latencies({int(bucket): count for bucket, count in row["latency"].items()})
    return Arm(**{**row, "latency": latency})


def _summed(one: Mapping[Any, int], other: Mapping[Any, int]) -> dict[Any, int]:
    return dict(sorted((Counter(one) + Counter(other)).items()))
