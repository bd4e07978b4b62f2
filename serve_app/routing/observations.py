"""The counts of a gateway while a rollout is under way. They add up, so that the controller sums all gateways."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

#: Most disagreements that are kept as examples, with the ids of their texts.
MAX_EXAMPLES: Final = 20
#: Buckets for each doubling of the time: a percentile is at most 19 % (2^(1/4)) above the true one.
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
        """Return the upper bound, in ms, of the bucket with the `q` quantile (0 to 1); None without any times."""
        rank, cumulative = q * self.total, 0
        for bucket, count in sorted(self.counts.items()):
            cumulative += count
            if cumulative >= rank:
                return bound_ms(bucket)
        return None

    def __add__(self, other: Latencies) -> Latencies:
        return Latencies(_summed(self.counts, other.counts))


@dataclass(frozen=True, slots=True)
class Arm:
    """Counts of one version."""

    requests: int = 0
    """Texts that it was asked about. A failed call is one request, since its texts do not fail independently."""
    errors: int = 0
    """Texts, and calls as a whole, that it failed on. A call that is not made because it is late counts too."""
    latency: Latencies = field(default_factory=Latencies)
    """Milliseconds of each call that was answered."""
    answers_by_label: Mapping[str, int] = field(default_factory=dict)
    """Texts answered, by label."""
    confidence_sum: float = 0.0
    """Sum of the answered labels' probabilities, answers from the cache included."""
    unread: int = 0
    """Texts that it could not read and the champion could, or was not there to read."""
    calls: int = 0
    """Calls to it."""
    lost: int = 0
    """Calls that it failed on and the champion did not, or was not there to answer."""

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
    """A text that the two versions label differently. It holds the id only, so that a deleted text leaves no copy."""

    id: str
    champion_label: str
    champion_score: float
    challenger_label: str
    challenger_score: float


@dataclass(frozen=True, slots=True)
class Observations:
    """Counts of one stage of one rollout."""

    arms: Mapping[int, Arm] = field(default_factory=dict)
    """Counts by version."""
    compared: int = 0
    """Mirrored texts that both versions answered."""
    disagreed: int = 0
    """Compared texts that got two different labels."""
    neutral_flips: int = 0
    """Those of them where one label is neutral. The others are positive against negative."""
    mirror_dropped: int = 0
    """Texts that were not mirrored because the queue was full."""
    examples: tuple[Disagreement, ...] = ()
    labelled: int = 0
    """Texts with feedback that both versions answered."""
    only_champion_right: int = 0
    """Texts with feedback where the champion was right and the challenger wrong."""
    only_challenger_right: int = 0
    """Texts with feedback where the challenger was right and the champion wrong."""

    def arm(self, version: int) -> Arm:
        """Return the counts of a version; all are 0 where it was never asked."""
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
