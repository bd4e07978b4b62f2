"""Judges a challenger by what gateways saw of it. Pure: the record in, a verdict with its numbers out.

Labels decide where there are some: the sequential test of `evidence` on the texts that one version alone got right.
Without any, only the stated limits on disagreement, errors and latency end a rollout. How confident the versions are
and how often they give each label is measured beside it, for people: it ends nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from serve_app.rollout.policy.record import Rollout
from serve_app.rollout.policy.sequential_test import DECISIVE, above, no_worse, worse
from serve_app.routing.observations import Arm, Observations

#: Calls that a latency is judged by, of each version in the present stage.
LEAST_TIMES: Final = 100
#: Below this a latency is as good as nothing, in ms: no ratio to less is taken.
_NEGLIGIBLE_MS: Final = 5.0
_LARGEST_SHOWN: Final = 1e9

Numbers = dict[str, float]


@dataclass(frozen=True, slots=True)
class RolloutAnalysis:
    """`stop` is why the rollout must go back, None if it need not. `shown` says that labels show it to be no worse."""

    stop: str | None
    shown: bool
    labelled: int
    numbers: Numbers


def analyse(rollout: Rollout) -> RolloutAnalysis:
    """Return what the observations of a rollout say, against its limits."""
    seen = rollout.observations
    numbers = measure(rollout, seen)
    found = (check(rollout, seen, numbers) for check in _CHECKS)
    stop = next((reason for reason in found if reason is not None), None)
    return RolloutAnalysis(stop, numbers["evidence_no_worse"] >= DECISIVE, seen.labelled, numbers)


def measure(rollout: Rollout, seen: Observations) -> Numbers:
    """Return the numbers that a verdict rests on; those that cannot be had yet are left out."""
    lost, won, limits = seen.only_champion_right, seen.only_challenger_right, rollout.limits
    numbers: Numbers = {
        "labelled": seen.labelled,
        "only_champion_right": lost,
        "only_challenger_right": won,
        "evidence_worse": _shown(float(worse(lost, won))),
        "evidence_no_worse": _shown(float(no_worse(lost, won, seen.labelled, limits.margin))),
        "compared": seen.compared,
    }
    if seen.compared:
        numbers["disagreement"] = seen.disagreed / seen.compared
        numbers["flips"] = _flips(seen) / seen.compared
    return numbers | _arms(seen.arm(rollout.champion), seen.arm(rollout.challenger)) | _latencies(rollout)


def _arms(champion: Arm, challenger: Arm) -> Numbers:
    numbers: Numbers = {
        "champion_requests": champion.requests,
        "requests": challenger.requests,
        "errors": challenger.errors,
        "unread": challenger.unread,
        "calls": challenger.calls,
        "lost": challenger.lost,
    }
    if champion.answers and challenger.answers:
        confidence = [arm.confidence_sum / arm.answers for arm in (champion, challenger)]
        labels = {*champion.answers_by_label, *challenger.answers_by_label}
        shares = [[_share(arm, label) for label in sorted(labels)] for arm in (champion, challenger)]
        numbers["confidence_shift"] = confidence[1] - confidence[0]
        numbers["label_shift"] = sum(abs(a - b) for a, b in zip(*shares, strict=True)) / 2  # total variation
    return numbers


def _share(arm: Arm, label: str) -> float:
    return arm.answers_by_label.get(label, 0) / arm.answers


def _latencies(rollout: Rollout) -> Numbers:
    """Return the ratios of the present stage: in another one the versions had other work to do."""
    stage = rollout.seen_in(rollout.stage)
    champion, challenger = stage.arm(rollout.champion).latency, stage.arm(rollout.challenger).latency
    if min(champion.total, challenger.total) < LEAST_TIMES:
        return {}
    own = {q: challenger.p(q) or 0.0 for q in (0.5, 0.99)}
    theirs = {q: max(champion.p(q) or 0.0, _NEGLIGIBLE_MS) for q in (0.5, 0.99)}
    return {
        "p50_ms": own[0.5],
        "p99_ms": own[0.99],
        "p50_ratio": own[0.5] / theirs[0.5],
        "p99_ratio": own[0.99] / theirs[0.99],
    }


def _worse(rollout: Rollout, seen: Observations, numbers: Numbers) -> str | None:
    if numbers["evidence_worse"] < DECISIVE:
        return None
    return (
        f"feedback shows that version {rollout.challenger} is worse: of {seen.labelled} labelled texts version "
        f"{rollout.champion} alone was right on {seen.only_champion_right}, version {rollout.challenger} alone on "
        f"{seen.only_challenger_right}"
    )


def _unread(rollout: Rollout, seen: Observations, _: Numbers) -> str | None:
    challenger = seen.arm(rollout.challenger)
    return _failed_alone(rollout, challenger.unread, challenger.requests, "texts")


def _lost(rollout: Rollout, seen: Observations, _: Numbers) -> str | None:
    challenger = seen.arm(rollout.challenger)
    return _failed_alone(rollout, challenger.lost, challenger.calls, "calls")


def _failed_alone(rollout: Rollout, failed: int, asked: int, things: str) -> str | None:
    """Judge what the champion did not fail on. The limit is fixed: a bet against a rate measured beside it is no test.

    Texts and calls are counted apart, since a call that fails is one event and may carry hundreds of texts.
    """
    limit = rollout.limits.max_errors
    if above(failed, asked, limit) < DECISIVE:
        return None
    return (
        f"version {rollout.challenger} alone failed on {failed} of {asked} {things}, version {rollout.champion} did "
        f"not; {_percent(limit)} are allowed"
    )


def _disagreement(rollout: Rollout, seen: Observations, _: Numbers) -> str | None:
    limit = rollout.limits.max_disagreement
    if above(seen.disagreed, seen.compared, limit) < DECISIVE:
        return None
    return _other_labels(rollout, seen, seen.disagreed, "labels otherwise than", limit)


def _flipped(rollout: Rollout, seen: Observations, _: Numbers) -> str | None:
    limit = rollout.limits.max_flips
    if above(_flips(seen), seen.compared, limit) < DECISIVE:
        return None
    return _other_labels(rollout, seen, _flips(seen), "says positive for negative, or the reverse, against", limit)


def _other_labels(rollout: Rollout, seen: Observations, count: int, does: str, limit: float) -> str:
    return (
        f"version {rollout.challenger} {does} version {rollout.champion} on {_percent(count / seen.compared)} of "
        f"{seen.compared} texts; {_percent(limit)} are allowed"
    )


def _slow(rollout: Rollout, _: Observations, numbers: Numbers) -> str | None:
    limit = rollout.limits.max_latency_ratio
    if min(numbers.get("p99_ratio", 0.0), numbers.get("p50_ratio", 0.0)) <= limit:  # a tail alone may be the machine's
        return None
    return (
        f"version {rollout.challenger} takes {numbers['p99_ratio']:.1f} times as long as version {rollout.champion} "
        f"(99th percentile {numbers['p99_ms']:.0f} ms; median {numbers['p50_ratio']:.1f} times); {limit:g} is allowed"
    )


_CHECKS: Final[tuple[Callable[[Rollout, Observations, Numbers], str | None], ...]] = (
    _unread,
    _lost,
    _worse,
    _flipped,
    _disagreement,
    _slow,
)


def _flips(seen: Observations) -> int:
    return seen.disagreed - seen.neutral_flips


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _shown(fortune: float) -> float:
    return min(fortune, _LARGEST_SHOWN)
