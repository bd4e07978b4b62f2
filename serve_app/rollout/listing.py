"""The list of registered versions, which the controller writes into the text store for gateways to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sentiment.registry import RegisteredVersion
from sentiment.store import TextStore
from serve_app.rollout.cluster.protocols import AppView
from serve_app.rollout.policy.decisions import AppState, ObservedState
from serve_app.routing.model_list import MODELS_KIND

_STATES: Final = {
    AppState.LOADING: "loading",
    AppState.RUNNING: "loaded",
    AppState.DOWN: "loaded",  # and Serve is replacing its replicas
    AppState.FAILED: "failed",
}


@dataclass(eq=False)
class Listing:
    """Writes the list of the registered model `model`."""

    store: TextStore
    model: str
    _written: list[dict[str, Any]] = field(default_factory=list)

    def write(
        self, versions: Sequence[RegisteredVersion], observed: ObservedState, apps: Mapping[int, AppView]
    ) -> None:
        """Write each version, what it does now and with how many replicas, if anything of it is new."""
        listed = [_listed(version, observed, apps.get(version.version)) for version in versions]
        if listed and listed != self._written:
            self.store.put_document(MODELS_KIND, self.model, {"models": listed})
            self._written = listed


def _listed(version: RegisteredVersion, observed: ObservedState, view: AppView | None) -> dict[str, Any]:
    share = next((share for share in observed.shares if share.version == version.version), None)
    app = observed.apps.get(version.version)
    state = _STATES.get(app, "registered") if app else "registered"
    serves = share is not None and share.weight > 0 and state == "loaded"
    return {
        "name": version.name,
        "version": version.version,
        "aliases": sorted(version.aliases),
        "state": "serving" if serves else state,
        "weight": share.weight if share else 0.0,
        "replicas": view.replicas if view else 0,
        "problem": _problem(version.version, observed),
        "labels": list(version.labels),
        "metrics": dict(version.metrics),
    }


def _problem(version: int, observed: ObservedState) -> str | None:
    """Return why a version is refused, waits or does not load. The text must not change until it is tried again."""
    if version in observed.lacking:
        return f"waits for resources: {observed.lacking[version]}; it starts once they are free"
    if observed.apps.get(version) is not AppState.FAILED:
        return observed.refused.get(version)
    reason = f"does not load: {observed.why_down(version)}"
    failing = observed.failing.get(version)
    if failing is None:
        return reason
    minutes = failing.again_after_s / 60
    return f"{reason} (attempt {failing.tries}; the next one follows {minutes:g} min later, after any rollout)"
