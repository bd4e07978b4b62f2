"""Decides from the gateways' counts whether a challenger must be rolled back. Pure: no clock, no input or output.

Where texts have feedback, the sequential test (`sequential_test`) decides, on the texts that only one version got
right. Without feedback, a rollout ends only when a limit on disagreement, errors or latency is exceeded. The shift in
confidence and in label shares is reported as well, but never ends a rollout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from serve_app.rollout.policy.record import Rollout
from serve_app.rollout.policy.sequential_test import DECISIVE, above, no_worse, worse
from serve_app.routing.observations import Arm, Observations

#: Latencies are compared once each version has had this many calls in the present stage.
LEAST_TIMES: Final = 100
#: A champion's latency below this counts as this, in ms: ratios of tiny times mean nothing.
_NEGLIGIBLE_MS: Final = 5.0
_LARGEST_EVIDENCE: Final = 1e9

Numbers = dict[str, float]


@dataclass(frozen=True, slots=True)
class RolloutAnalysis:
    """What the observations of a rollout say of its challenger."""

    stop: str | None
    """Why the rollout must be rolled back; None if it need not."""
    is_no_worse: bool
    """Whether feedback shows that the challenger is no worse than the champion."""
    labelled: int
    """Texts with feedback."""
    numbers: Numbers
    """What the verdict rests on, by name."""


def analyse(rollout: Rollout) -> RolloutAnalysis:
    """Compare the observations of a rollout with its limits."""
    counts = rollout.observations
    numbers = measure(rollout, counts)
    reasons = (check(rollout, counts, numbers) for check in _CHECKS)
    stop = next((reason for reason in reasons if reason is not None), None)
    return RolloutAnalysis(stop, numbers["evidence_no_worse"] >= DECISIVE, counts.labelled, numbers)


def measure(rollout: Rollout, counts: Observations) -> Numbers:
    """Return the numbers that a verdict rests on; those that need more texts are left out."""
    only_champion, only_challenger, limits = (
        counts.only_champion_right,
        counts.only_challenger_right,
        rollout.limits,
    )
    numbers: Numbers = {
        "labelled": counts.labelled,
        "only_champion_right": only_champion,
        "only_challenger_right": only_challenger,
        "evidence_worse": _capped(float(worse(only_champion, only_challenger))),
        "evidence_no_worse": _capped(float(no_worse(only_champion, only_challenger, counts.labelled, limits.margin))),
        "compared": counts.compared,
    }
    if counts.compared:
        numbers["disagreement"] = counts.disagreed / counts.compared
        numbers["flips"] = _flips(counts) / counts.compared
    return numbers | _arms(counts.arm(rollout.champion), counts.arm(rollout.challenger)) | _latencies(rollout)


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
    """Return the latencies of the present stage and their ratios; other stages had another load."""
    stage = rollout.observations_in(rollout.stage)
    champion, challenger = stage.arm(rollout.champion).latency, stage.arm(rollout.challenger).latency
    if min(champion.total, challenger.total) < LEAST_TIMES:
        return {}
    challenger_ms = {q: challenger.p(q) or 0.0 for q in (0.5, 0.99)}
    champion_ms = {q: max(champion.p(q) or 0.0, _NEGLIGIBLE_MS) for q in (0.5, 0.99)}
    return {
        "p50_ms": challenger_ms[0.5],
        "p99_ms": challenger_ms[0.99],
        "p50_ratio": challenger_ms[0.5] / champion_ms[0.5],
        "p99_ratio": challenger_ms[0.99] / champion_ms[0.99],
    }


def _worse(rollout: Rollout, counts: Observations, numbers: Numbers) -> str | None:
    if numbers["evidence_worse"] < DECISIVE:
        return None
    return (
        f"feedback shows that version {rollout.challenger} is worse: of {counts.labelled} texts with feedback, only "
        f"version {rollout.champion} was right on {counts.only_champion_right}, only version {rollout.challenger} on "
        f"{counts.only_challenger_right}"
    )


def _unread(rollout: Rollout, counts: Observations, _: Numbers) -> str | None:
    challenger = counts.arm(rollout.challenger)
    return _failed_alone(rollout, challenger.unread, challenger.requests, "texts")


def _lost(rollout: Rollout, counts: Observations, _: Numbers) -> str | None:
    challenger = counts.arm(rollout.challenger)
    return _failed_alone(rollout, challenger.lost, challenger.calls, "calls")


def _failed_alone(rollout: Rollout, failures: int, trials: int, unit: str) -> str | None:
    """Return why too many failures are the challenger's own: the champion did not fail on these.

    The limit is fixed: the test is not valid against a rate that is measured beside it. Texts and calls are counted
    apart, since one failed call is one event that may carry hundreds of texts.
    """
    limit = rollout.limits.max_errors
    if above(failures, trials, limit) < DECISIVE:
        return None
    return (
        f"version {rollout.challenger} failed on {failures} of {trials} {unit} that version {rollout.champion} did not "
        f"fail on; at most {_percent(limit)} are allowed"
    )


def _disagreement(rollout: Rollout, counts: Observations, _: Numbers) -> str | None:
    limit = rollout.limits.max_disagreement
    if above(counts.disagreed, counts.compared, limit) < DECISIVE:
        return None
    return _other_labels(rollout, counts, counts.disagreed, "different labels", limit)


def _flipped(rollout: Rollout, counts: Observations, _: Numbers) -> str | None:
    limit = rollout.limits.max_flips
    if above(_flips(counts), counts.compared, limit) < DECISIVE:
        return None
    return _other_labels(rollout, counts, _flips(counts), "opposite labels (positive against negative)", limit)


def _other_labels(rollout: Rollout, counts: Observations, count: int, difference: str, limit: float) -> str:
    return (
        f"versions {rollout.champion} and {rollout.challenger} give {difference} to "
        f"{_percent(count / counts.compared)} of {counts.compared} texts; at most {_percent(limit)} are allowed"
    )


def _slow(rollout: Rollout, _: Observations, numbers: Numbers) -> str | None:
    limit = rollout.limits.max_latency_ratio
    if min(numbers.get("p99_ratio", 0.0), numbers.get("p50_ratio", 0.0)) <= limit:  # a tail alone may be the machine's
        return None
    return (
        f"version {rollout.challenger} takes {numbers['p99_ratio']:.1f} times as long as version {rollout.champion} "
        f"(99th percentile {numbers['p99_ms']:.0f} ms; median {numbers['p50_ratio']:.1f} times); at most {limit:g} "
        "times is allowed"
    )


_CHECKS: Final[tuple[Callable[[Rollout, Observations, Numbers], str | None], ...]] = (
    _unread,
    _lost,
    _worse,
    _flipped,
    _disagreement,
    _slow,
)


def _flips(counts: Observations) -> int:
    return counts.disagreed - counts.neutral_flips


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _capped(evidence: float) -> float:
    """Return the evidence, or the largest that JSON and people read well."""
    return min(evidence, _LARGEST_EVIDENCE)
