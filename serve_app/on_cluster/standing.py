"""What Serve runs on a cluster, and what of it this platform may replace, reach or remove. Pure: it calls nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from sentiment.settings import LOOPBACK, Settings, spelling_of
from serve_app.rollout.cluster.protocols import APP_PREFIX
from serve_app.supervisor.probe import Address

APPLICATION: Final = "undertone"
GATEWAY: Final = "Gateway"
#: Names the platform's start among the Gateway's `user_config`, where Serve shows it to whoever asks.
INSTANCE: Final = "instance"

_ROUTE: Final = "/"
_WILDCARDS: Final = ("0.0.0.0", "::")  # noqa: S104
_DECLARED: Final = "declarative"


@dataclass(frozen=True)
class StandingApp:
    """One application of Serve's; `instance` is that of the platform that deployed it, None where none did."""

    name: str
    route_prefix: str | None
    is_declared: bool
    instance: str | None
    status: str
    message: str

    @classmethod
    def read(cls, known: Mapping[str, Any]) -> Self:
        """Take it from Serve's details of an application."""
        gateway = known["deployments"].get(GATEWAY)
        config = (gateway or {}).get("deployment_config", {}).get("user_config") or {}
        instance = config.get(INSTANCE) if isinstance(config, Mapping) else None
        declared = str(getattr(known["source"], "value", known["source"])) == _DECLARED
        status = str(getattr(known["status"], "value", known["status"]))
        return cls(known["name"], known["route_prefix"], declared, instance, status, known["message"])

    def __str__(self) -> str:
        origin = "a configuration (serve deploy)" if self.is_declared else "serve run, or another undertone up"
        return f"{self.name} at {self.route_prefix or 'no route'}, of {origin}, {self.status}"


@dataclass(frozen=True)
class Standing:
    """Serve on a cluster: where its proxies listen, the nodes with a healthy one, the head first, and what it runs."""

    host: str
    port: int
    proxy_ips: tuple[str, ...] = ()
    apps: tuple[StandingApp, ...] = field(default=())

    def app(self, name: str) -> StandingApp | None:
        """Return the application of that name."""
        return next((app for app in self.apps if app.name == name), None)

    def is_of(self, instance: str) -> bool:
        """Say whether the platform's application stands here and is that of this start."""
        app = self.app(APPLICATION)
        return app is not None and app.instance == instance

    def apis(self, own_ips: Collection[str]) -> tuple[str, ...]:
        """Return the addresses at which this machine, whose addresses are given, reaches the proxies."""
        if self.host in _WILDCARDS:
            return tuple(Address(ip, self.port).url for ip in self.proxy_ips)
        if self.host in LOOPBACK:
            here = any(ip in own_ips for ip in self.proxy_ips)
            return (Address(LOOPBACK[0], self.port).url,) if here else ()
        return (Address(self.host, self.port).url,)


def in_the_way(standing: Standing, instances: Collection[str]) -> list[StandingApp]:
    """Return what stands under the names and the route that the platform needs, and is not of these starts of it."""
    others = [app for app in standing.apps if _needs_place(app) and app.instance not in instances]
    if any(standing.is_of(instance) for instance in instances):  # its versions' applications are its own, too
        return [app for app in others if app.is_declared or not app.name.startswith(APP_PREFIX)]
    return others


def refusal(standing: Standing | None, instances: Collection[str], settings: Settings, *, replace: bool) -> str | None:
    """Return why the application may not be deployed where that stands, None if it may.

    `instances` are those of this home's own platforms. Whatever else stands under the names or the route that the
    platform needs is left alone, unless its owner says `replace`.
    """
    if standing is None:
        return None
    if settings.port not in (standing.port, Settings.model_fields["port"].default):
        return (
            f"Serve on the cluster at {settings.address} listens on port {standing.port} already, not on "
            f"{settings.port}: leave {spelling_of('port')} out, or give it {standing.port}."
        )
    others = in_the_way(standing, instances)
    if not others or replace:
        return None
    told = "; ".join(str(app) for app in others)
    return (
        f"the cluster at {settings.address} runs this already: {told}. It stays as it is. To end it and run this "
        "platform there, with its own numbers of replicas and its own settings, add --replace"
    )


def versions_of(standing: Standing) -> list[str]:
    """Return the names of the applications of model versions, which the platform's controller has started."""
    return [app.name for app in standing.apps if app.name.startswith(APP_PREFIX)]


def _needs_place(app: StandingApp) -> bool:
    return app.name == APPLICATION or app.route_prefix == _ROUTE or app.name.startswith(APP_PREFIX)
