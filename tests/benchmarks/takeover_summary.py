"""All takeovers of a run in one: counts, ratios and the slowest of each phase (`tests.benchmarks.takeover`)."""

from __future__ import annotations

import itertools
import statistics
from typing import Any, Final

_MOST_RATIO: Final = 2
#: Requests of a 99th percentile, at least.
ENOUGH: Final = 1000


def p99(milliseconds: list[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(milliseconds, n=100)[98]


def summary(found: list[dict[str, Any]]) -> dict[str, float | None]:
    """Return all takeovers in one; what is worked out from times is of those that took over."""
    counts = {name: sum(each[name] for each in found) for name in ("requests", "failed", "over_1_s")}
    whole = [each for each in found if not each["aborted"]]
    told = {"takeovers": len(found), "aborted": len(found) - len(whole), **counts}
    return told | (_of_whole(whole) if whole else {})


def _of_whole(found: list[dict[str, Any]]) -> dict[str, float | None]:
    calm_ms = [each["p99_before_ms"] for each in found]
    return {
        "wrong": sum(each["wrong"] for each in found),
        "over_twice": sum(each["p99_ratio"] > _MOST_RATIO for each in found),
        "calm_over_twice": sum(later > _MOST_RATIO * earlier for earlier, later in itertools.pairwise(calm_ms)),
        "p99_ratio_median": round(statistics.median(each["p99_ratio"] for each in found), 2),
        "p99_ratio_all": _of_all(found, ""),
        "p99_ratio_max": round(max(each["p99_ratio"] for each in found), 2),
        "p99_ratio_full_speed_all": _of_all(found, "_full_speed"),
        "p99_ratio_slow_all": _of_all(found, "_slow"),
        **_at_full_speed([each["p99_ratio_full_speed"] for each in found if "p99_ratio_full_speed" in each]),
        **{name: round(max(each[name] for each in found), 1) for name in found[0] if name.startswith("slowest_")},
        "full_s_median": round(statistics.median(each["full_s"] for each in found), 1),
        "both_mib": round(max(each["both_mib"] for each in found), 1),
    }


def _of_all(found: list[dict[str, Any]], kind: str) -> float | None:
    """Return the ratio of the requests of all takeovers together, None where they are too few."""
    before, during = ([ms for each in found for ms in each[f"{side}{kind}_ms"]] for side in ("before", "during"))
    return round(p99(during) / p99(before), 2) if min(len(before), len(during)) >= ENOUGH else None


def _at_full_speed(ratios: list[float]) -> dict[str, float]:
    if not ratios:
        return {"takeovers_full_speed": 0}
    return {
        "takeovers_full_speed": len(ratios),
        "over_twice_full_speed": sum(ratio > _MOST_RATIO for ratio in ratios),
        "p99_ratio_full_speed_median": round(statistics.median(ratios), 2),
        "p99_ratio_full_speed_max": round(max(ratios), 2),
    }
