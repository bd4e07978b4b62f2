"""Routes of model versions: what gateways must know to call one, from the traffic table or from its manifest."""

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
    """The routes of one registered model's versions; new ones have weight 0. All methods block."""

    settings: Settings
    registry: ModelRegistry
    _routes: dict[int, Route] = field(default_factory=dict)

    def of(self, version: int, table: TrafficTable | None, versions: Sequence[RegisteredVersion]) -> Route:
        """Return a version's route: the table's, or one made from its files, which the registry names.

        `versions` is the registry's list.

        Raises:
            ModelRejected: its files differ from its manifest.
            NotFound: neither the table nor the registry has it.
            Unavailable: the registry has not answered yet.
        """
        route = table.of_version(version) if table else None
        if route is not None:
            return route
        if version not in self._routes:
            model, digest = self.settings.model_name, self.digest(version, table, versions)
            manifest = read_version(fetch_version(self.settings, model, version, digest, self.registry)).manifest
            labels, name = tuple(manifest.labels), app_name(version)
            self._routes[version] = Route(model, version, name, digest, labels, manifest.normalizer, weight=0.0)
        return self._routes[version]

    def digest(self, version: int, table: TrafficTable | None, versions: Sequence[RegisteredVersion]) -> str:
        """Return a version's digest: the registry's, or the traffic table's while the registry is away.

        Raises:
            NotFound: neither has it.
            Unavailable: the registry has not answered since this controller started (`versions` is empty).
        """
        registered = {row.version: row.digest for row in versions}
        routes = table.routes if table else ()
        digest = registered.get(version) or next((route.digest for route in routes if route.version == version), None)
        if digest is None and not versions:
            raise Unavailable("the registry has not answered since the controller started; trying again")
        if digest is None:
            raise NotFound(f"the registry has no version {version} of {self.settings.model_name}")
        return digest
