"""Reports about trials that wait for room in the cluster: when they are due, and their words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from train_jobs.runs.capacity import ResourceRequest

_FIRST_S: Final = 20.0
_AGAIN_S: Final = 300.0
_LOOK_S: Final = 5.0
_PENDING: Final = ("PENDING", "RESCHEDULING")
_NAMES: Final = {"CPU": "CPU", "GPU": "GPU"}

Bundles = Sequence[Mapping[str, float]]


class WaitReminder:
    """Decides when waiting trials are reported: after 20 s, then every five minutes."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._looked_s, self._reported_s = float("-inf"), float("-inf")

    def overdue(self, waiting: Iterable[str], now_s: float) -> list[str]:
        """Return the trials that have waited for long, if a report is due; `waiting` are all that have not started."""
        self._since = {trial: self._since.get(trial, now_s) for trial in waiting}
        if now_s < max(self._looked_s + _LOOK_S, self._reported_s + _AGAIN_S):
            return []
        late = [trial for trial, since_s in self._since.items() if now_s - since_s >= _FIRST_S]
        self._looked_s = now_s if late else self._looked_s
        return late

    def reported(self, now_s: float) -> None:
        """Record that a report was made."""
        self._reported_s = now_s


def bundles_of(need: ResourceRequest) -> Bundles:
    """Return the resources that a training reserves, one bundle for each worker."""
    return [need.of_a_worker] * need.workers


def is_refused(bundles: Bundles, groups: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether one of the placement groups in Ray's table has these bundles and waits for room."""
    requested = [_resources(bundle) for bundle in bundles]
    return any(
        group["state"] in _PENDING and [_resources(bundle) for bundle in _in_order(group["bundles"])] == requested
        for group in groups
    )


def in_words(count: int, need: ResourceRequest, has: Mapping[str, float], free: Mapping[str, float]) -> str:
    """Return the line about `count` trials that each wait for room for `need`."""
    resources = " and ".join(_amount(name, value) for name, value in need.of_a_worker.items())
    each = f"{need.workers} workers with {resources} each" if need.workers > 1 else f"{resources} on one node"
    rooms = ", ".join(f"{free.get(name, 0):g} of {_amount(name, has.get(name, 0))}" for name in need.of_a_worker)
    trials = "1 trial waits" if count == 1 else f"{count} trials wait, each"
    return f"{trials} for {each}; free in the cluster: {rooms}. It starts when there is room; Ctrl+C ends the search."


def _amount(name: str, value: float) -> str:
    return f"{value:g} {_NAMES[name]}{'' if value == 1 else 's'}"


def _in_order(bundles: Mapping[int, Mapping[str, float]]) -> list[Mapping[str, float]]:
    return [bundles[number] for number in sorted(bundles)]


def _resources(bundle: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in bundle.items() if name in _NAMES and value}
