"""What a set of texts adds up to, and the timeline made of such sums: the same arithmetic for every index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Final, NamedTuple

from sentiment.insight.buckets import Stretch, bucket_of
from sentiment.insight.interval import mean_interval
from sentiment.insight.values import Point, Query, Span, Timeline, TimelineComparison, VersionMean


class Sums(NamedTuple):
    """A number of texts, and the sums over those of them that have a sentiment."""

    texts: int = 0
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


NOTHING: Final = Sums()


@dataclass(frozen=True, slots=True)
class BucketSums:
    """The sums of one bucket, and those of each label and model version within it."""

    whole: Sums = NOTHING
    labels: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, Sums] = field(default_factory=dict)


def bucket_of_groups(groups: Iterable[tuple[str, str, Sums]]) -> BucketSums:
    """Return the sums of a bucket from those of each (label, version) in it; an empty version is none."""
    whole = NOTHING
    labels: dict[str, int] = {}
    versions: dict[str, Sums] = {}
    for label, version, sums in groups:
        whole = added(whole, sums)
        labels[label] = labels.get(label, 0) + sums[0]
        if version:
            versions[version] = added(versions[version], sums) if version in versions else sums
    return BucketSums(whole, labels, versions)


def timeline_of(
    query: Query, span: Span, stretches: Sequence[Stretch], buckets: Sequence[BucketSums], commit: str
) -> Timeline:
    """Return the timeline whose stretch i has the sums of bucket i."""
    whole = reduce(added, (bucket.whole for bucket in buckets), NOTHING)
    low, high = whole.ends
    points = tuple(_point(stretch, bucket) for stretch, bucket in zip(stretches, buckets, strict=True))
    return Timeline(query.text, whole.texts, whole.mean, low, high, bucket_of(span), span.tz, points, commit)


def comparison_of(series: Sequence[Timeline]) -> TimelineComparison:
    """Return timelines beside each other, with each one's share of all that they count."""
    total = sum(timeline.total for timeline in series)
    return TimelineComparison(tuple(series), tuple(timeline.total / total if total else None for timeline in series))


def _point(stretch: Stretch, bucket: BucketSums) -> Point:
    low, high = bucket.whole.ends
    return Point(
        stretch.from_ms,
        stretch.to_ms,
        bucket.whole.texts,
        bucket.whole.mean,
        low,
        high,
        bucket.labels,
        {version: VersionMean(sums.texts, sums.mean) for version, sums in bucket.versions.items()},
        stretch.partial,
    )


def added(one: Sums, other: Sums) -> Sums:
    """Return the sums of two sets of texts that share none."""
    return Sums(one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3])
