"""Routes of model versions: what gateways must know of one, from the traffic table or from its manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sentiment.errors import NotFound, Unavailable
from sentiment.registry import ModelRegistry, RegisteredVersion, fetch_version
from sentiment.settings import Settings
from sentiment.version import read_version
from serve_app.rollout.cluster.protocols import app_name
from serve_app.routing.traffic_table import Route, TrafficTable


@dataclass(eq=False)
class VersionRoutes:
    """The routes of one registered model's versions, without weight where they are new. All methods block."""

    settings: Settings
    registry: ModelRegistry
    _known: dict[int, Route] = field(default_factory=dict)

    def of(self, version: int, table: TrafficTable | None, versions: Sequence[RegisteredVersion]) -> Route:
        """Return a version's route; one that is in the table needs neither the registry nor the files.

        Raises:
            ModelRejected: its files are not what its manifest says.
            NotFound: neither the table nor the registry, whose list is `versions`, knows it.
            Unavailable: that list has not come yet.
        """
        known = table.of_version(version) if table else None
        if known is not None:
            return known
        if version not in self._known:
            model, digest = self.settings.model_name, self.digest(version, table, versions)
            manifest = read_version(fetch_version(self.settings, model, version, digest, self.registry)).manifest
            labels, name = tuple(manifest.labels), app_name(version)
            self._known[version] = Route(model, version, name, digest, labels, manifest.normalizer, weight=0.0)
        return self._known[version]

    def digest(self, version: int, table: TrafficTable | None, versions: Sequence[RegisteredVersion]) -> str:
        """Return a version's digest: the registry's word, or the traffic table's while the registry is away.

        Raises:
            NotFound: neither knows it.
            Unavailable: the registry, whose list is empty, has not been heard of since this controller started.
        """
        registered = {known.version: known.digest for known in versions}
        routes = table.routes if table else ()
        digest = registered.get(version) or next((route.digest for route in routes if route.version == version), None)
        if digest is None and not versions:
            raise Unavailable("the registry has not said yet which versions there are")
        if digest is None:
            raise NotFound(f"the registry does not know version {version} of {self.settings.model_name}")
        return digest
