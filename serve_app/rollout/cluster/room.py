"""Which versions lack resources. A version that serves, or the only one, is started even without."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from serve_app.rollout.cluster.protocols import AppView
from serve_app.rollout.policy.decisions import AppState
from serve_app.rollout.rollout_store import shares_in
from serve_app.routing.traffic_table import TrafficTable


def has_room(apps: Mapping[int, AppView], version: int) -> bool:
    """Whether a version has its resources already: it is loaded for the fixed split or by an earlier rollout."""
    return version in apps and apps[version].state in (AppState.RUNNING, AppState.DOWN)


def lacking(
    versions: Collection[int | None],
    table: TrafficTable | None,
    apps: Mapping[int, AppView],
    no_room: Callable[[int], str | None],
) -> dict[int, str]:
    """Return what the versions lack that are to be started while others serve, by version."""
    serving = {share.version for share in shares_in(table) if share.weight > 0}
    new = sorted(v for v in versions if v is not None and v not in apps and v not in serving) if serving else []
    return {version: lack for version in new if (lack := no_room(version))}
