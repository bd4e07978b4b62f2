"""Counts how often versions of the fixed split failed to load, in memory: a new controller starts from zero."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from serve_app.rollout.cluster.protocols import AppView
from serve_app.rollout.policy.decisions import AppState, LoadFailure


@dataclass(slots=True)
class _Tries:
    count: int = 0
    failed_s: float | None = None  # time of the last failure; None while it loads again


@dataclass(eq=False)
class LoadFailures:
    """Failures to load, by version; `now_s` is a steady clock."""

    now_s: Callable[[], float]
    _tries: dict[int, _Tries] = field(default_factory=dict)

    def update(self, versions: Collection[int], apps: Mapping[int, AppView]) -> dict[int, LoadFailure]:
        """Return which of the versions have failed; one that runs, or is not among them any more, starts from zero."""
        running = {version for version, view in apps.items() if view.state is AppState.RUNNING}
        self._tries = {version: self._tries.get(version, _Tries()) for version in {*versions} - running}
        for version, tries in self._tries.items():
            if version not in apps or apps[version].state is not AppState.FAILED:
                tries.failed_s = None
            elif tries.failed_s is None:
                tries.count, tries.failed_s = tries.count + 1, self.now_s()
        now_s = self.now_s()
        failed = ((version, tries.count, tries.failed_s) for version, tries in self._tries.items())
        return {version: LoadFailure(count, now_s - at_s) for version, count, at_s in failed if at_s is not None}
