"""What a set of texts adds up to, and the timeline made of such sums: the same arithmetic for every index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sentiment.insight.buckets import Stretch, bucket_of
from sentiment.insight.interval import mean_interval
from sentiment.insight.values import Point, Query, Span, Timeline, TimelineComparison, VersionMean


@dataclass(frozen=True, slots=True)
class Sums:
    """A number of texts, and the sums over those of them that have a sentiment."""

    count: int = 0
    scored: int = 0
    total: float = 0.0
    """Sum of the sentiments."""
    squares: float = 0.0
    """Sum of their squares."""

    @property
    def mean(self) -> float | None:
        """The mean sentiment, None where no text has one."""
        return self.total / self.scored if self.scored else None

    @property
    def ends(self) -> tuple[float, float] | tuple[None, None]:
        """The ends of the mean's 95 % interval."""
        return mean_interval(self.scored, self.total, self.squares) or (None, None)


@dataclass(frozen=True, slots=True)
class BucketSums:
    """The sums of one bucket, and those of each label and model version within it."""

    all: Sums = Sums()
    labels: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, Sums] = field(default_factory=dict)


def timeline_of(
    query: Query, span: Span, stretches: Sequence[Stretch], buckets: Sequence[BucketSums], commit: str
) -> Timeline:
    """Return the timeline whose stretch i has the sums of bucket i."""
    whole = together([bucket.all for bucket in buckets])
    low, high = whole.ends
    points = tuple(_point(stretch, bucket) for stretch, bucket in zip(stretches, buckets, strict=True))
    return Timeline(query.text, whole.count, whole.mean, low, high, bucket_of(span), span.tz, points, commit)


def comparison_of(series: Sequence[Timeline]) -> TimelineComparison:
    """Return timelines beside each other, with each one's share of all that they count."""
    total = sum(timeline.total for timeline in series)
    return TimelineComparison(tuple(series), tuple(timeline.total / total if total else None for timeline in series))


def _point(stretch: Stretch, bucket: BucketSums) -> Point:
    low, high = bucket.all.ends
    return Point(
        stretch.from_ms,
        stretch.to_ms,
        bucket.all.count,
        bucket.all.mean,
        low,
        high,
        bucket.labels,
        {version: VersionMean(sums.count, sums.mean) for version, sums in bucket.versions.items()},
        stretch.partial,
    )


def together(parts: Sequence[Sums]) -> Sums:
    """Return the sums of several sets of texts that share none."""
    return Sums(
        sum(part.count for part in parts),
        sum(part.scored for part in parts),
        sum(part.total for part in parts),
        sum(part.squares for part in parts),
    )
