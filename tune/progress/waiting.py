"""Trials that find no room in the cluster: when that is said, and in which words."""

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
    """Decides when trials that wait are told of: after 20 s, and every five minutes from then on."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._looked_s, self._told_s = float("-inf"), float("-inf")

    def overdue(self, waiting: Iterable[str], now_s: float) -> list[str]:
        """Return which of the trials that have not begun by now have waited for long, if it is time to look."""
        self._since = {trial: self._since.get(trial, now_s) for trial in waiting}
        if now_s < max(self._looked_s + _LOOK_S, self._told_s + _AGAIN_S):
            return []
        late = [trial for trial, since_s in self._since.items() if now_s - since_s >= _FIRST_S]
        self._looked_s = now_s if late else self._looked_s
        return late

    def told(self, now_s: float) -> None:
        """Remember that it was said."""
        self._told_s = now_s


def bundles_of(need: ResourceRequest) -> Bundles:
    """Return the resources that a training reserves, a bundle a worker."""
    return [need.of_a_worker] * need.workers


def is_refused(bundles: Bundles, groups: Iterable[Mapping[str, Any]]) -> bool:
    """Say whether one of Ray's placement groups, as its table has them, is for these bundles and has no room yet."""
    requested = [_resources(bundle) for bundle in bundles]
    return any(
        group["state"] in _PENDING and [_resources(bundle) for bundle in _in_order(group["bundles"])] == requested
        for group in groups
    )


def in_words(count: int, need: ResourceRequest, has: Mapping[str, float], free: Mapping[str, float]) -> str:
    """Return the line that tells of `count` trials that each wait for room for `need`."""
    resources = " and ".join(_amount(name, value) for name, value in need.of_a_worker.items())
    each = f"{need.workers} workers with {resources} each" if need.workers > 1 else f"{resources} on one node"
    rooms = ", ".join(f"{free.get(name, 0):g} of {_amount(name, has.get(name, 0))}" for name in need.of_a_worker)
    trials = "1 trial waits" if count == 1 else f"{count} trials wait, each"
    return f"{trials} for {each}; free in the cluster: {rooms}. It begins once there is room; Ctrl+C ends the search."


def _amount(name: str, value: float) -> str:
    return f"{value:g} {_NAMES[name]}{'' if value == 1 else 's'}"


def _in_order(bundles: Mapping[int, Mapping[str, float]]) -> list[Mapping[str, float]]:
    return [bundles[number] for number in sorted(bundles)]


def _resources(bundle: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in bundle.items() if name in _NAMES and value}
