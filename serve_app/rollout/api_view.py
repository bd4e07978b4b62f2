"""A rollout's record as the API, the command line and the page show it."""

from __future__ import annotations

from typing import Any, Final

from serve_app.rollout.policy.analysis import measure
from serve_app.rollout.policy.record import Entry, Rollout, State
from serve_app.rollout.policy.shares import Share, shares_of
from serve_app.routing.observations import Arm, Observations

_DIGITS: Final = 4
#: Fields of the record that only the controller needs, or that are shown in another form.
_INTERNAL: Final = {"counts", "plan", "limits", "decisions", "swapped", "gone", "naming_ms"}


def to_public(rollout: Rollout, now_ms: int) -> dict[str, Any]:
    """Return the record for people: its state, the shares, what was observed, and each decision with its reason.

    `state` is `paused` while the rollout is paused; `phase` is the state behind it. `moments` are the times at which
    traffic moved, for marks in a trend.
    """
    observations = rollout.observations
    last = rollout.decisions[-1]
    return {
        **rollout.model_dump(mode="json", exclude=_INTERNAL),
        "state": "paused" if rollout.paused and not rollout.ended else rollout.state.value,
        "phase": rollout.state.value,
        "plan": ",".join(map(str, rollout.plan)),
        "step": str(rollout.step) if rollout.step else None,
        "ended_ms": last.at_ms if rollout.ended else None,
        "in_step_s": 0.0 if rollout.ended else max(0.0, (now_ms - rollout.since_ms) / 1000),
        "reason": last.reason,
        "traffic": [_share_view(share) for share in shares_of(rollout)],
        "limits": rollout.limits.model_dump(),
        "numbers": {name: round(value, _DIGITS) for name, value in measure(rollout, observations).items()},
        "versions": [
            _arm_view(version, observations.arm(version)) for version in (rollout.champion, rollout.challenger)
        ],
        "compared": _compared_view(observations),
        "decisions": [entry.model_dump(mode="json") for entry in rollout.decisions],
        "moments": _moments(rollout),
    }


def _share_view(share: Share) -> dict[str, Any]:
    return {"version": share.version, "weight": share.weight, "shadow": share.shadow}


def _arm_view(version: int, arm: Arm) -> dict[str, Any]:
    return {
        "version": version,
        "requests": arm.requests,
        "errors": arm.errors,
        "p50_ms": arm.latency.p(0.5),
        "p99_ms": arm.latency.p(0.99),
        "labels": dict(arm.answers_by_label),
        "confidence": round(arm.confidence_sum / arm.answers, _DIGITS) if arm.answers else None,
    }


def _compared_view(observations: Observations) -> dict[str, Any]:
    counts = observations.to_json()
    names = ("compared", "disagreed", "neutral_flips", "mirror_dropped", "examples")
    return {name: counts[name] for name in names}


def _moments(rollout: Rollout) -> list[dict[str, Any]]:
    """Return each change of the challenger's share of the traffic."""
    moments: list[dict[str, Any]] = []
    for entry in rollout.decisions:
        share = _share_after(rollout, entry)
        if share != (moments[-1]["share"] if moments else None) and (share or moments):
            moments.append({"at_ms": entry.at_ms, "state": entry.state.value, "share": share})
    return moments


def _share_after(rollout: Rollout, entry: Entry) -> float:
    if entry.state in (State.ABORTING, State.ABORTED) or not entry.stage:
        return 0.0
    return rollout.plan[entry.stage - 1].share
