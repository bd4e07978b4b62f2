"""Remembers how often versions of the fixed split failed to load; a controller that was killed begins anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from serve_app.rollout.cluster.protocols import AppView
from serve_app.rollout.policy.decisions import AppState, Failing


@dataclass(slots=True)
class _Tries:
    count: int = 0
    failed_s: float | None = None  # None while it is tried again


@dataclass(eq=False)
class LoadFailures:
    """`now_s` is a steady clock."""

    now_s: Callable[[], float]
    _tries: dict[int, _Tries] = field(default_factory=dict)

    def seen(self, wanted: Collection[int], apps: Mapping[int, AppView]) -> dict[int, Failing]:
        """Return those of the wanted versions that have failed; one that runs, or is wanted no more, is forgotten."""
        runs = {version for version, view in apps.items() if view.state is AppState.RUNNING}
        self._tries = {version: self._tries.get(version, _Tries()) for version in {*wanted} - runs}
        for version, tries in self._tries.items():
            if version not in apps or apps[version].state is not AppState.FAILED:
                tries.failed_s = None
            elif tries.failed_s is None:
                tries.count, tries.failed_s = tries.count + 1, self.now_s()
        now_s = self.now_s()
        failed = ((version, tries.count, tries.failed_s) for version, tries in self._tries.items())
        return {version: Failing(count, now_s - at_s) for version, count, at_s in failed if at_s is not None}
