"""Why the tone of a search moved between two spans: an exact split of the change into its causes.

The *net tone* of a span is its texts a day times their mean tone. Its change, a text of the average volume, is

    change = mix + inside + model + volume, and mix + inside + model is the change of the mean tone:

- *mix*: other topics are discussed: each topic's change of share times its tone against the mean;
- *inside*: the same topics are discussed differently, what the model's versions differ by taken out;
- *model*: other model versions have labelled the texts, by how far they are known to differ;
- *volume*: more or fewer texts of the same tone.

Each product of two changes is halved between its two causes, as Marshall and Edgeworth do for prices and amounts: the
split has no remainder and none of the spans is the base. A text of k topics weighs 1/k in each; texts without a topic
are a topic of their own (None).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from math import sqrt
from typing import Final

from sentiment.insight.interval import Z_95, cautious_mean, variance_of_mean

Group = tuple[str | None, int | None]


@dataclass(frozen=True, slots=True)
class GroupSums:
    """The texts of one topic and one model version: those with a tone, each by its weight."""

    weight: float
    total: float
    """Sum of weight times tone."""
    squares: float
    """Sum of weight times the tone's square."""

    @property
    def mean(self) -> float | None:
        """The mean tone, None without texts."""
        return self.total / self.weight if self.weight else None


#: The topic of all that are not among the most frequent.
OTHER_TOPICS: Final = "(other topics)"
_ROUNDING: Final = 1e-6


def grouped(
    named: Iterable[tuple[tuple[str, int | None], GroupSums]],
    without: Iterable[tuple[int | None, GroupSums]],
    every: Iterable[tuple[int | None, GroupSums]],
) -> Mapping[Group, GroupSums]:
    """Return groups that hold every text once: named topics, texts without a topic, and the rest.

    Args:
        named: sums by topic and model version, texts weighted.
        without: sums of texts without a topic, by model version.
        every: sums of all texts, by model version.
    """
    groups: dict[Group, GroupSums] = {}
    rest: dict[int | None, GroupSums] = {}
    for version, sums in every:
        rest[version] = _plus(rest.get(version, _NOTHING), sums)
    listed: list[tuple[Group, GroupSums]] = [*named, *(((None, version), sums) for version, sums in without)]
    for group, sums in listed:
        groups[group] = _plus(groups.get(group, _NOTHING), sums)
        rest[group[1]] = _plus(rest[group[1]], sums, -1)
    groups |= {(OTHER_TOPICS, version): sums for version, sums in rest.items() if sums.weight > _ROUNDING}
    return {group: sums for group, sums in groups.items() if sums.weight > 0}


def _plus(first: GroupSums, second: GroupSums, sign: int = 1) -> GroupSums:
    return GroupSums(
        first.weight + sign * second.weight, first.total + sign * second.total, first.squares + sign * second.squares
    )


_NOTHING: Final = GroupSums(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class SpanSums:
    """One of the two spans: what it holds by topic and model version (None: labelled by people)."""

    days: float
    groups: Mapping[Group, GroupSums]

    @property
    def all(self) -> GroupSums:
        """The sums of all texts."""
        return _sum(self.groups.values())


@dataclass(frozen=True, slots=True)
class Driver:
    """A topic's part in the change, and its figures before and after; None where it has no texts."""

    topic: str | None
    mix: float
    inside: float
    model: float
    count_before: float
    count_after: float
    sentiment_before: float | None
    sentiment_after: float | None

    @property
    def change(self) -> float:
        """What this topic has changed of the mean tone."""
        return self.mix + self.inside + self.model


@dataclass(frozen=True, slots=True)
class ToneChange:
    """The change of a search's tone and its parts, which add up to `change`."""

    change: float
    mix: float
    inside: float
    model: float
    volume: float
    tone_before: float
    tone_after: float
    low: float
    high: float
    """The 95 % interval of the change of the mean tone, by sample size; few texts draw it towards no change."""
    drivers: tuple[Driver, ...]
    """By how much each has changed, the most first."""

    @property
    def is_certain(self) -> bool:
        """Whether the mean tone has changed by more than chance explains."""
        return self.low > 0 or self.high < 0

    @property
    def tone_change(self) -> float:
        """The change of the mean tone."""
        return self.tone_after - self.tone_before


def split_change(before: SpanSums, after: SpanSums, offsets: Mapping[int, float]) -> ToneChange | None:
    """Return what moved the tone, None where one of the spans has no text with a tone.

    Args:
        before: the first span.
        after: the second one.
        offsets: by how much a model version's tone is above the truth that all are compared with; 0 for those left out.
    """
    sums = before.all, after.all
    if sums[0].mean is None or sums[1].mean is None:
        return None
    tones = sums[0].mean, sums[1].mean
    middle = sum(tones) / 2
    topics = {topic for span in (before, after) for topic, _ in span.groups}
    drivers = sorted(
        (_driver(topic, before, after, offsets, middle) for topic in topics),
        key=lambda driver: (-abs(driver.change), driver.topic or ""),
    )
    rates = sums[0].weight / before.days, sums[1].weight / after.days
    margin = Z_95 * sqrt(sum(variance_of_mean(each.weight, each.total, each.squares) for each in sums))
    expected = cautious_mean(sums[1].weight, sums[1].total) - cautious_mean(sums[0].weight, sums[0].total)
    volume = (rates[1] - rates[0]) / (sum(rates) / 2) * middle
    return ToneChange(
        change=tones[1] - tones[0] + volume,
        mix=sum(driver.mix for driver in drivers),
        inside=sum(driver.inside for driver in drivers),
        model=sum(driver.model for driver in drivers),
        volume=volume,
        tone_before=tones[0],
        tone_after=tones[1],
        low=expected - margin,
        high=expected + margin,
        drivers=tuple(drivers),
    )


@dataclass(frozen=True, slots=True)
class _Topic:
    """A topic in one span: its share of all texts, its mean tone, and the model's part of that."""

    weight: float
    share: float
    mean: float
    offset: float


def _driver(
    topic: str | None, before: SpanSums, after: SpanSums, offsets: Mapping[int, float], middle: float
) -> Driver:
    first, second = (_topic(topic, span, offsets) for span in (before, after))
    # A topic that one span lacks has nothing to change inside: all of it is mix.
    present = [each for each in (first, second) if each]
    old, new = present[0], present[-1]
    shares = (first.share if first else 0.0, second.share if second else 0.0)
    share = sum(shares) / 2
    model = share * (new.offset - old.offset)
    return Driver(
        topic=topic,
        mix=(shares[1] - shares[0]) * ((old.mean + new.mean) / 2 - middle),
        inside=share * (new.mean - old.mean) - model,
        model=model,
        count_before=first.weight if first else 0.0,
        count_after=second.weight if second else 0.0,
        sentiment_before=first.mean if first else None,
        sentiment_after=second.mean if second else None,
    )


def _topic(topic: str | None, span: SpanSums, offsets: Mapping[int, float]) -> _Topic | None:
    groups = {version: sums for (name, version), sums in span.groups.items() if name == topic}
    sums = _sum(groups.values())
    if sums.mean is None:
        return None
    offset = sum(each.weight * offsets.get(version, 0.0) for version, each in groups.items() if version is not None)
    return _Topic(sums.weight, sums.weight / span.all.weight, sums.mean, offset / sums.weight)


def _sum(groups: Iterable[GroupSums]) -> GroupSums:
    return reduce(_plus, groups, _NOTHING)


def sentence(query: str, change: ToneChange) -> str:
    """Return the split in words that can be quoted, with its uncertainty."""
    about = f"of texts about {query}" if query else "of all texts"
    if not change.is_certain:
        return (
            f"The tone {about} went from {change.tone_before:+.2f} to {change.tone_after:+.2f}; a change this small "
            f"may be chance (95 % interval {change.low:+.2f} to {change.high:+.2f})."
        )
    verb = "rose" if change.tone_change > 0 else "fell"
    causes = {
        "that other topics were discussed": change.mix,
        "how the same topics were discussed": change.inside,
        "another version of the model": change.model,
    }
    cause = max(causes, key=lambda name: abs(causes[name]))
    main = next((driver.topic for driver in change.drivers if driver.topic is not None), None)
    most = f", most of all {main}" if main is not None and causes[cause] != change.model else ""
    return (
        f"The tone {about} {verb} by {abs(change.tone_change):.2f}, from {change.tone_before:+.2f} to "
        f"{change.tone_after:+.2f} (95 % interval of the change {change.low:+.2f} to {change.high:+.2f}). "
        f"The largest part, {causes[cause]:+.2f}, is {cause}{most}."
    )
